"""The page and its server: a visitor's browser as one more camera, and as one more place to look at the results.

serve            the process: binds the address, joins the parts below
app              the HTTP side: the page, thumbnails, headers, who may enter          (starlette)
access           who may enter: loopback, origin, token
session          one visitor: the page's messages, and what it watches
visitor_camera   a visitor's own camera;  uplink: all of them, as the dispatcher sees readers
camera_follower  the results of a camera that is watched;  presenter: the newest of them, to the page
view             the panels a visitor wants of a frame;  photo: JPEG and PNG;  stamp: the time in a picture
outfit           one visitor's outfit and photos;  outfit_effects: the effects that show it
library          garments, textures and backgrounds on offer;  effects_client: requests effects from composite
call             the same pictures over WebRTC;  reassembly: of the packets they come in   (aiortc)
page_protocol    messages between a page and its server
"""

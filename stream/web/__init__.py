"""The page and its server: a visitor's browser as one more camera, and as one more place to look at the results.

serve       the process: binds the address, joins the parts below
app         the HTTP side: the page, thumbnails, headers, who may enter          (starlette)
access      who may enter: loopback, origin, token
session     one visitor: what the page says is done, what it is shown
guest       a visitor's own camera;  uplink: all of them, as the dispatcher sees readers
spectator   the results of a camera that is watched;  presenter: the newest of them, to the page
view        what a visitor wants to see of a frame;  photo: JPEG and PNG;  stamp: the time in a picture
look        what a visitor wants to wear, as effects;  wardrobe: what there is;  dresser: asks for it
call        the same pictures over WebRTC;  reassembly: of the packets they come in   (aiortc)
talk        what page and server say to each other
"""

// A subscriber for Node: `for await (const frame of subscribe(endpoint))` (docs/protocol.md).
import { Subscriber } from "zeromq"

export const VERSION = 2
const ROSTER = "/streams"
const MAX_PIXELS = 64_000_000

/**
 * Yields each frame: {camera, epoch, seq, ptsNs, width, height, classes, planes}. A class is {name, role, region, colour}, a plane is
 * {name, encoding, shape, crop, data}: pixels in rows for `raw` and `lz4`, the file itself for `jpeg` and `png`.
 *
 * Ends when the publisher closes; throws where a stream ended with an error, or nothing was heard for `patienceMs`.
 */
export async function* subscribe(
  endpoint = "tcp://127.0.0.1:5556",
  { cameras = [], kinds = ["parts"], encoding = "raw", patienceMs = 10_000 } = {},
) {
  const socket = new Subscriber({ receiveHighWaterMark: 2, maxMessageSize: 4 * MAX_PIXELS, linger: 0, receiveTimeout: patienceMs })
  const followed = new Set()
  const failures = []
  const topic = (camera) => `${camera}/${kinds.join("+")}/${encoding}`
  socket.connect(endpoint)
  socket.subscribe(ROSTER)
  try {
    while (true) {
      const [name, head, ...buffers] = await received(socket, endpoint, patienceMs)
      const header = JSON.parse(head.toString())
      if (header.v !== VERSION) throw new Error(`expected protocol version ${VERSION}, got ${header.v}`)
      if (name.toString() !== ROSTER) {
        if (followed.has(header.camera)) yield decoded(header, buffers)
        continue
      }
      for (const { camera, state, cause } of header.streams) {
        if (cameras.length && !cameras.includes(camera)) continue
        if (state === "ended") {
          if (followed.delete(camera)) socket.unsubscribe(topic(camera))
          if (cause && !failures.includes(cause)) failures.push(cause)
        } else if (!followed.has(camera)) {
          followed.add(camera)
          socket.subscribe(topic(camera))
        }
      }
      if (header.closing) break
    }
  } finally {
    socket.close()
  }
  if (failures.length) throw new Error(`the stream has ended early: ${failures.join("; ")}`)
}

async function received(socket, endpoint, patienceMs) {
  try {
    return await socket.receive()
  } catch (error) {
    throw error.code === "EAGAIN" ? new Error(`no message from ${endpoint} for ${patienceMs} ms`) : error
  }
}

function decoded(header, buffers) {
  if (buffers.length !== header.planes.length) throw new Error(`expected ${header.planes.length} planes, got ${buffers.length}`)
  const planes = header.planes.map((plane, index) => ({ ...plane, data: pixels(plane, buffers[index]) }))
  const { camera, epoch, seq, width, height, classes } = header
  return { camera, epoch, seq, ptsNs: header.pts_ns, width, height, classes, planes }
}

function pixels({ encoding, shape }, buffer) {
  const size = shape.reduce((product, side) => product * side, 1)
  if (!(size > 0 && size <= 4 * MAX_PIXELS)) throw new Error(`expected a plane of a bounded size, got ${shape}`)
  if (encoding === "jpeg" || encoding === "png") return buffer
  const data = encoding === "lz4" ? unpacked(buffer, size) : buffer
  if (data.length !== size) throw new Error(`expected ${size} bytes for ${shape}, got ${data.length}`)
  return data
}

/** One LZ4 block (its specification: lz4_Block_format.md) of `size` bytes when unpacked. */
export function unpacked(block, size) {
  const out = new Uint8Array(size)
  let read = 0
  let written = 0
  const length = (short) => {
    let total = short
    if (short === 15) {
      let more
      do total += more = block[read++]
      while (more === 255)
    }
    return total
  }
  while (read < block.length) {
    const token = block[read++]
    const literals = length(token >> 4)
    if (!(written + literals <= size && read + literals <= block.length)) throw new Error("expected a whole LZ4 block")
    out.set(block.subarray(read, read + literals), written)
    read += literals
    written += literals
    if (read === block.length) break
    const offset = block[read] | (block[read + 1] << 8)
    read += 2
    const end = written + length(token & 15) + 4
    if (!(offset > 0 && offset <= written && end <= size)) throw new Error("expected a whole LZ4 block")
    for (; written < end; written++) out[written] = out[written - offset]
  }
  return out.subarray(0, written)
}

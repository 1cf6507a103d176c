// Reads the part masks and prints what share of each picture every class has: node masks.js [ENDPOINT [FRAMES [ENCODING]]]
import { subscribe } from "./subscriber.js"

const [endpoint = "tcp://127.0.0.1:5556", frames = "Infinity", encoding = "raw"] = process.argv.slice(2)
let left = Number(frames)
for await (const { camera, seq, width, height, classes, planes } of subscribe(endpoint, { kinds: ["parts"], encoding })) {
  const counts = new Array(classes.length).fill(0)
  for (const label of planes[0].data) counts[label]++
  const shares = classes.slice(1).map(({ name }, index) => `${name} ${((100 * counts[index + 1]) / (width * height)).toFixed(1)} %`)
  console.log(`${camera} ${seq}: ${shares.join(", ")}`)
  if (--left <= 0) break
}

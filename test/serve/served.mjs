// A program that serves a folder, as somebody would deploy it: beside it lies `serve.js` alone. It is told what to do on standard input,
// a line of JSON each, and says what comes of it on standard output.
import { createInterface } from 'node:readline'
import { serve } from './serve.js'

const [folder, options] = process.argv.slice(2)
const server = serve(folder, JSON.parse(options))
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`)
const failure = ({ name, code, message }) => ({ error: name === 'GlowplugError' ? code : 'unknown', message })
server.watch((event) => {
  if (event.kind === 'card') say({ card: event.card, state: event.state, code: event.error?.code })
})
await server.ready().then(
  () => say({ ready: server.info.cards.map(({ pid }) => pid) }),
  (error) => {
    say(failure(error))
    return server.close()
  },
)
for await (const line of createInterface({ input: process.stdin })) {
  const { id, mode, close } = JSON.parse(line)
  if (close) {
    await server.close()
    say({ id, closed: true })
    break
  }
  server.entries.main.run({ x: [1, 2, 3, 4], mode: [mode] }).then(
    ({ y }) => say({ id, y: [...y.data] }),
    (error) => say({ id, ...failure(error) }),
  )
}
process.stdin.destroy()

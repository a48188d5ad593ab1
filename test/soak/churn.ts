// Servers that come and go: closed in every way, and with files that are damaged while they run.
import { copyFileSync, linkSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Server, serve } from '../../targets/runtime/serve/index.ts'
import { modes, sums, unruly, unrulyInputs, until } from '../serve/support.ts'
import { createBook } from './books.ts'
import type { Random } from './random.ts'

const ways = ['close', 'drain', 'close under way', 'damaged before', 'damaged before a restart'] as const

/** A copy of the addon for each folder to link to; it goes with the process. */
let addon: string | undefined

/**
 * A process keeps every addon file that it has loaded, for Node cannot unload one: some 30 KB for each server here, were its file not the same. A version that is
 * swapped in costs that much, a server that comes and goes does not.
 */
function shareAddon(folder: string): void {
  const name = readdirSync(folder).find((file) => file.endsWith('.node'))
  if (!name) return
  const file = join(folder, name)
  if (addon) {
    rmSync(file)
    linkSync(addon, file)
    return
  }
  const own = mkdtempSync(join(tmpdir(), 'glowplug-soak-'))
  process.on('exit', () => rmSync(own, { recursive: true, force: true }))
  addon = join(own, name)
  copyFileSync(file, addon)
  shareAddon(folder)
}

/** Other contents under the same name; what is mapped stays what it was. */
function damage(folder: string): void {
  const file = join(folder, readdirSync(folder).find((name) => name.endsWith('.weights'))!)
  const bytes = readFileSync(file)
  bytes[bytes.length - 1]! ^= 0xff
  writeFileSync(`${file}.tmp`, bytes)
  renameSync(`${file}.tmp`, file)
}

const stateOf = (server: Server, name: string) => server.info.cards.find((card) => card.name === name)!.state

/** One server from its start to its end. Gives what is wrong. */
export async function churn(kinds: readonly ('native' | 'wasm')[], random: Random): Promise<readonly string[]> {
  const kind = random.pick(kinds)
  const device = random.pick(['worker', 'process'] as const)
  const way = random.pick(device === 'process' ? ways : ways.slice(0, 4))
  const folder = await unruly(kind)
  shareAddon(folder)
  const server = serve(folder, { cards: 2, device, timeout: 5000 })
  const book = createBook(`${device} ${kind}, ${way}`, server, 100)
  const ask = () => book.ask({ expected: { y: sums } }, () => server.entries.main!.run(unrulyInputs(modes.sum)))
  const several = () => Promise.all(Array.from({ length: 1 + random.below(12) }, () => ask()))
  try {
    if (way === 'damaged before') {
      damage(folder)
      const code = await server.ready().then(
        () => 'ready',
        (error) => error.code,
      )
      if (code !== 'bundle-digest') book.wrong(`a damaged file was ${code}`)
    } else {
      await server.ready()
      await several()
      if (way === 'damaged before a restart') {
        const [card] = server.info.cards as readonly [Server['info']['cards'][number]]
        damage(folder)
        process.kill(card.pid!, 'SIGKILL')
        await several()
        await until(() => stateOf(server, card.name) === 'failed', 'a card failed whose file is damaged')
        await several()
      }
      const last = several()
      if (way === 'drain') await server.drain()
      if (way === 'close under way') book.closing()
      else await last
      await server.close()
      await last
    }
  } catch (error) {
    book.wrong((error as Error).message)
  } finally {
    book.closing()
    await server.close()
    rmSync(folder, { recursive: true, force: true })
  }
  return book.end()
}

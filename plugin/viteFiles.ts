import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { extname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** Files of models that a development server has compiled, in a folder of their own. */
export interface ServedFiles {
  /** Writes files whose names carry the hash of their contents. */
  add(files: Readonly<Record<string, Uint8Array>>): Promise<void>
  /** file: address of a file that was added. */
  addressOf(name: string): string
  /** Answers requests for the files that were added, and no others. */
  answer(request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void): void
  /** Removes what no server has used for a week. */
  clean(): Promise<void>
}

/** Where the files of `folder` are on the server, behind its base. */
export const servedPath = '@glowplug/'

const forgottenMilliseconds = 7 * 24 * 60 * 60 * 1000

/** `prefix`: path of the addresses that are answered. `headers` go with every answer. */
export function serveFiles(folder: string, prefix: string, headers: Readonly<Record<string, unknown>>): ServedFiles {
  const known = new Map<string, number>()

  /** A program may have mapped or loaded the file that stands there: it is never written to, only replaced. */
  async function write(name: string, bytes: Uint8Array): Promise<void> {
    const path = join(folder, name)
    const found = await readFile(path).catch(() => undefined)
    const now = new Date()
    if (found?.equals(bytes)) return utimes(path, now, now).catch(() => undefined)
    const temporary = join(folder, `incomplete-${randomBytes(12).toString('hex')}`)
    try {
      await mkdir(folder, { recursive: true })
      await writeFile(temporary, bytes, { flag: 'wx' })
      await rename(temporary, path)
    } finally {
      await rm(temporary, { force: true })
    }
  }

  return {
    async add(files) {
      for (const [name, bytes] of Object.entries(files)) {
        await write(name, bytes)
        known.set(name, bytes.length)
      }
    },
    addressOf: (name) => pathToFileURL(join(folder, name)).href,
    answer(request, response, next) {
      const path = request.url!.replace(/[?#].*$/, '')
      if (!path.startsWith(prefix)) return next()
      const name = path.slice(prefix.length)
      const bytes = known.get(name)
      if (bytes === undefined || (request.method !== 'GET' && request.method !== 'HEAD')) {
        response.statusCode = bytes === undefined ? 404 : 405
        return void response.end()
      }
      for (const [header, value] of Object.entries(headers)) if (value !== undefined) response.setHeader(header, value as string)
      response.setHeader('Content-Type', extname(name) === '.wasm' ? 'application/wasm' : 'application/octet-stream')
      response.setHeader('Content-Length', bytes)
      response.setHeader('Cache-Control', 'max-age=31536000, immutable')
      if (request.method === 'HEAD') return void response.end()
      createReadStream(join(folder, name)).on('error', next).pipe(response)
    },
    async clean() {
      for (const name of await readdir(folder).catch(() => [])) {
        const path = join(folder, name)
        const used = await stat(path).then(
          ({ mtimeMs }) => mtimeMs,
          () => 0,
        )
        if (Date.now() - used > forgottenMilliseconds) await rm(path, { force: true }).catch(() => undefined)
      }
    },
  }
}

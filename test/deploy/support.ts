import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chmodSync, cpSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Options } from 'glowplug/esbuild'
import { bundle, createProject, emptyFolder, scaleModel, scaleWeights } from '../esbuild/support.ts'

/** A server that answers `GET /1,2` with what the model makes of the two numbers, and by what it ran. */
export const server = `
import { createServer } from 'node:http'
import half from './half.model.ts'

const server = createServer(async ({ url }, response) => {
  try {
    const { y } = await half.run({ x: url.slice(1).split(',').map(Number) })
    const { target, level, fallback } = half.info
    response.end(JSON.stringify({ y: [...y.data], target, level, fallback }))
  } catch (error) {
    response.writeHead(500).end(JSON.stringify({ code: error.code, message: error.message }))
  }
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
process.on('SIGTERM', () => server.close(() => half.close()))
`

/** Builds the server, whose model multiplies by \`scale\`, and copies the output to an empty folder. */
export async function deploy(options: Options, scale: readonly [number, number] = [0.5, 0.5]): Promise<string> {
  const project = createProject({
    'server.ts': server,
    'half.model.ts': scaleModel('half'),
    'half.safetensors': scaleWeights(scale),
  })
  await bundle(project, { entryPoints: ['server.ts'], outExtension: { '.js': '.mjs' } }, options)
  const folder = emptyFolder()
  cpSync(join(project, 'out'), folder, { recursive: true })
  return folder
}

export interface Answer {
  readonly y: readonly number[]
  readonly target: string
  readonly level: string
  readonly fallback?: string
  readonly code?: string
  readonly message?: string
}

export interface Server {
  get(numbers: readonly [number, number]): Promise<Answer>
  /** Ends it and returns what it wrote to standard error. */
  stop(): Promise<string>
}

export interface Manner {
  /** Flags of Node. */
  readonly flags?: readonly string[]
  /** Command that runs Node. */
  readonly emulator?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly user?: number
}

/** Starts the server of a folder in a process that has nothing else: an empty environment, an empty working folder. */
export async function serve(folder: string, { flags = [], emulator = [], environment = {}, user }: Manner = {}): Promise<Server> {
  const command = [...emulator, process.execPath, ...flags, join(folder, 'server.mjs')]
  const cwd = emptyFolder()
  chmodSync(cwd, 0o755)
  const child = spawn(command[0]!, command.slice(1), {
    cwd,
    env: { PATH: '', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(user === undefined ? {} : { uid: user, gid: user }),
  })
  let said = ''
  child.stderr.on('data', (chunk) => {
    said += chunk
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const port = await portOf(child, () => said)
  return {
    get: async (numbers) => (await fetch(`http://127.0.0.1:${port}/${numbers}`)).json() as Promise<Answer>,
    async stop() {
      child.kill('SIGTERM')
      await ended
      return said
    },
  }
}

function portOf(child: ChildProcess, said: () => string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.stdout!.once('data', (chunk) => resolve(Number(chunk)))
    child.once('error', reject)
    child.once('close', (status) => reject(new Error(`the server ended with ${status}\n${said()}`)))
  })
}

/** One question to a server that is started for it; the answer, and what the process wrote to standard error. */
export async function ask(folder: string, manner: Manner = {}): Promise<Answer & { readonly said: string }> {
  const server = await serve(folder, manner)
  let said = ''
  const answer = await server.get([1, 2]).finally(async () => {
    said = await server.stop()
  })
  return { ...answer, said }
}

/** Takes away every right to write. */
export function makeReadOnly(folder: string): void {
  for (const name of readdirSync(folder)) chmodSync(join(folder, name), 0o444)
  chmodSync(folder, 0o555)
}

/** Prints what a program that is given as text prints. */
export const evaluate = (program: string): string =>
  execFileSync(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: emptyFolder(),
    env: { PATH: '' },
    encoding: 'utf8',
  })

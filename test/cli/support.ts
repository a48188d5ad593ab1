import { spawn } from 'node:child_process'
import { main } from '../../plugin/cli.ts'

export interface Outcome {
  readonly status: number | null
  readonly out: string
  readonly err: string
}

/** Runs a program to its end. */
export function execute(
  command: string,
  args: readonly string[],
  cwd: string,
  environment: NodeJS.ProcessEnv = {},
): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env: { ...process.env, FORCE_COLOR: '0', NO_COLOR: '1', ...environment } })
    let [out, err] = ['', '']
    child.stdout.on('data', (chunk) => {
      out += chunk
    })
    child.stderr.on('data', (chunk) => {
      err += chunk
    })
    child.on('close', (status) => resolve({ status, out, err }))
  })
}

/** The command line in this process, which saves the time to load it. */
export async function glowplug(...args: string[]): Promise<Outcome> {
  const said = { stdout: '', stderr: '' }
  const streams = ['stdout', 'stderr'] as const
  const writes = streams.map((name) => process[name].write)
  for (const name of streams) {
    process[name].write = ((text: string) => {
      said[name] += text
      return true
    }) as never
  }
  try {
    return { status: await main([process.execPath, 'glowplug', ...args]), out: said.stdout, err: said.stderr }
  } finally {
    for (const [i, name] of streams.entries()) process[name].write = writes[i]!
  }
}

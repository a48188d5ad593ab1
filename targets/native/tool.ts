import { spawn } from 'node:child_process'
import { atExit } from './atExit.ts'

export interface Finished {
  readonly status: number | null
  readonly output: string
  /** Standard error, in English. */
  readonly said: string
}

/** Longer outputs are cut: a compiler that fails may go on for megabytes. */
const longest = 2 ** 20

/** Runs a tool to its end. Rejects only when it cannot be started. */
export function runTool(command: readonly string[], folder: string, input = ''): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(command[0]!, command.slice(1), { cwd: folder, env: { ...process.env, LC_ALL: 'C' } })
    const done = atExit(() => child.kill())
    let [output, said] = ['', '']
    child.stdout.on('data', (chunk: Buffer) => {
      output = `${output}${chunk}`.slice(0, longest)
    })
    child.stderr.on('data', (chunk: Buffer) => {
      said = `${said}${chunk}`.slice(0, longest)
    })
    // A tool that ends early says why on standard error.
    child.stdin.on('error', () => undefined)
    child.on('error', (error) => {
      done()
      reject(error)
    })
    child.on('close', (status) => {
      done()
      resolve({ status, output, said })
    })
    child.stdin.end(input)
  })
}

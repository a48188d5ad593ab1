import { fork } from 'node:child_process'

export interface ChildOptions {
  /** Milliseconds after which it is ended. */
  readonly limit: number
  readonly progress: (text: string) => void
  readonly environment?: Readonly<Record<string, string>>
}

/** Longer words of a process that died are cut. */
const longest = 2000

/** Runs a task in a process of its own, and gives its result. Rejects with what went wrong there. */
export function runChild<Result>(file: string, task: object, { limit, progress, environment }: ChildOptions): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = fork(file, [JSON.stringify(task)], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, ...environment },
      execArgv: ['--no-warnings'],
    })
    let said = ''
    child.stderr!.on('data', (chunk: Buffer) => {
      said = `${said}${chunk}`.slice(-longest)
    })
    let late = false
    const timer = setTimeout(() => {
      late = true
      child.kill('SIGKILL')
    }, limit)
    let settle = () => {}
    child.on('message', (message: { progress?: string; result?: Result; failed?: string }) => {
      if (message.progress !== undefined) progress(message.progress)
      else if (message.failed !== undefined) settle = () => reject(new Error(message.failed))
      else settle = () => resolve(message.result as Result)
    })
    child.on('error', reject)
    child.on('close', (status, signal) => {
      clearTimeout(timer)
      settle()
      // Settled before, it is settled.
      reject(
        new Error(
          late ? `took longer than ${limit / 1000} s` : `ended with ${signal ?? status}: ${said.trim().split('\n').at(-1)}`,
        ),
      )
    })
  })
}

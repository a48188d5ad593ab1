// A worker process under a watchdog.
import { type ChildProcess, fork } from 'node:child_process'
import type { Failure, Reply, Request } from './protocol.ts'
import { workerVariable } from './worker.ts'

/** How a request ended. */
export type Ending =
  | { readonly kind: 'answered'; readonly reply: Reply }
  /** The process is gone, or was killed because it took too long; `seed` and `check` are what it was at. */
  | { readonly kind: 'lost'; readonly failure: Failure }

export interface Worker {
  ask(request: Request, heard?: (failure: Failure) => void): Promise<Ending>
  close(): void
}

/**
 * Starts `file`, which serves where `workerVariable` is set, and starts it again after it was lost. `patience` replaces the seconds that
 * the worker asks for.
 */
export function startWorker(file: string, patience?: number): Worker {
  let child: ChildProcess | undefined
  const start = (): ChildProcess => {
    const started = fork(file, [], {
      env: { ...process.env, [workerVariable]: '1' },
      serialization: 'advanced',
      execArgv: ['--enable-source-maps'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    started.once('exit', () => {
      if (child === started) child = undefined
    })
    return started
  }
  return {
    ask: (request, heard = () => undefined) =>
      new Promise((resolve) => {
        child ??= start()
        const asked = child
        let at = { seed: 'from' in request ? request.from : request.seed, check: 'start' }
        let said = ''
        let timer: ReturnType<typeof setTimeout> | undefined
        let late = false
        const wait = (seconds: number) => {
          clearTimeout(timer)
          timer = setTimeout(() => {
            late = true
            asked.kill('SIGKILL')
          }, seconds * 1000)
        }
        const finish = (ending: Ending) => {
          clearTimeout(timer)
          asked.off('message', onMessage)
          asked.off('exit', onExit)
          asked.stderr!.off('data', onText)
          resolve(ending)
        }
        const onMessage = (reply: Reply) => {
          if (reply.kind === 'at') {
            at = reply
            wait(patience ?? reply.seconds)
          } else if (reply.kind === 'failed') heard(reply.failure)
          else finish({ kind: 'answered', reply })
        }
        const onExit = (status: number | null, signal: string | null) => {
          const message = late ? 'hangs' : `ends the process with ${signal ?? `status ${status}`}\n${said.slice(-4000)}`
          finish({ kind: 'lost', failure: { ...at, message } })
        }
        const onText = (text: Buffer) => {
          said += text
        }
        asked.on('message', onMessage)
        asked.on('exit', onExit)
        asked.stderr!.on('data', onText)
        // Loading takes its time on a machine with much to do.
        wait(60)
        asked.send(request)
      }),
    close: () => child?.kill('SIGKILL'),
  }
}

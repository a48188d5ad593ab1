import { stat } from 'node:fs/promises'
import { KeptRequestError, replayRequest } from '../inspect/keptRequest.ts'
import { Failure, printJson, UsageError, withProgress } from './terminal.ts'

export interface ReplayOptions {
  readonly device?: unknown
  readonly target?: unknown
  readonly json?: boolean
}

/** `glowplug replay`: runs a request again that failed on a server. Exit status 1 where it still fails. */
export async function replay(folder: string, bundle: string, options: ReplayOptions): Promise<number> {
  const { device = 'process', target } = options
  if (device !== 'process' && device !== 'worker')
    throw new UsageError(`--device '${device}' is none of process and worker`, 'write --device process')
  for (const path of [folder, bundle])
    if (!(await stat(path).catch(() => undefined))) throw new Failure(`there is no file or folder ${path}`)
  const result = await withProgress(`reading ${folder}`, () =>
    replayRequest(folder, bundle, { device, ...(target !== undefined && { target: String(target) }) }).catch((error) => {
      if (error instanceof KeptRequestError) throw new Failure(error.message)
      throw error
    }),
  )
  const status = result.verdict === 'answered' ? 0 : 1
  if (options.json) {
    printJson({ folder, ...result })
    return status
  }
  const { kept, verdict, code, message, cards } = result
  const on = (list: readonly { readonly name: string; readonly target: string }[]) =>
    list.map(({ name, target }) => `${name} (${target})`).join(', ') || 'no card'
  const lines = [
    `${kept.model} ${kept.bundle}, entry ${kept.entry}, request ${kept.request} of ${kept.time}`,
    `  it was: ${kept.error.code}: ${kept.error.message}; on ${on(kept.cards)}`,
    ...(result.bundle === kept.bundle ? [] : [`  the bundle is another: ${result.bundle}`]),
    verdict === 'answered'
      ? `it is answered, on ${on(cards)}`
      : `it ${verdict === 'same' ? 'still' : 'now'} fails: ${code}: ${message}; on ${on(cards)}`,
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
  return status
}

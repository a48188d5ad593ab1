import { explain, fail, GlowplugError } from './error.ts'
import { createLoader, type TensorInfo } from './load.ts'
import type { Source } from './locate.ts'
import type { EntryPoint } from './manifest.ts'
import type { Instance, ModuleCode } from './plan.ts'
import { engine } from './source.ts'
import {
  arrayOf,
  checkNames,
  copyInput,
  elementCount,
  type InputValue,
  outputArray,
  type TensorArray,
  type TensorValue,
} from './tensor.ts'
import { createWorkers, type Job, type Workers } from './workers.ts'

export interface OpenOptions {
  /** Take this target or fail. Default: the first of the bundle that runs here; a change is a process warning with code GLOWPLUG_FALLBACK. */
  readonly target?: string | undefined
  /** Worker threads, each with its own weights and activations. Default 1. */
  readonly instances?: number | undefined
  /** Requests that may wait for a worker; one more is refused with `queue-full`. Default 1024. */
  readonly queue?: number | undefined
  /**
   * Code is always checked against its digest. Weights are checked in workers and not for `runSync` and `bind`, where that would block
   * the caller; `full` checks them there too, `code` nowhere.
   */
  readonly verify?: 'code' | 'full' | undefined
}

export interface RunOptions<O = Record<string, TensorValue>> {
  /** Arrays to write outputs to, or an earlier result; outputs left out get new arrays. Not to be read until the run ends. */
  readonly into?: { readonly [K in keyof O]?: O[K] | (O[K] extends TensorValue<infer A> ? A : never) } | undefined
  /** Rejects with `run-aborted` when it fires; a run that has begun goes on unseen. */
  readonly signal?: AbortSignal | undefined
}

/** Inputs and outputs as typed arrays on an instance of its own: write, run, read. Allocates nothing. */
export interface Binding<I = Record<string, TensorArray>, O = Record<string, TensorArray>> {
  readonly inputs: I
  readonly outputs: O
  /** Runs on the calling thread. Throws `run-fault`, `run-crashed`, `closed`. */
  run(): void
}

export interface ModelInfo {
  readonly model: string
  readonly target: string
  readonly level: string
  /** Why the bundle's first target was not taken; known once the code has been loaded. */
  readonly fallback?: string
  readonly instances: number
  /** Bytes of one instance. */
  readonly regions: EntryPoint['regions']
  /** Bytes of the weights that one instance reads. */
  readonly weightBytes: number
  readonly inputs: readonly TensorInfo[]
  readonly outputs: readonly TensorInfo[]
  /** Versions of what built it. */
  readonly glowplug: string
  readonly toolchain: Readonly<Record<string, string>>
}

export interface Model<I = Record<string, InputValue>, O = Record<string, TensorValue>> {
  readonly name: string
  readonly info: ModelInfo
  /** Runs on a worker thread. Inputs are copied before it returns; the caller owns the outputs. */
  run(inputs: I, options?: RunOptions<O>): Promise<O>
  /** Runs on the calling thread, which waits. */
  runSync(inputs: I, options?: Pick<RunOptions<O>, 'into'>): O
  bind(): Binding
  /** Loads, verifies, starts the workers and warms them up. */
  ready(): Promise<void>
  /** Ends the workers. Runs that have no answer yet, and all later ones, fail with `closed`. */
  close(): Promise<void>
}

const view = ({ dtype, offset, shape }: TensorInfo, memory: ArrayBufferLike, start: number): TensorArray =>
  new (arrayOf(dtype))(memory, start + offset, elementCount(shape))

const named = <T>(tensors: readonly TensorInfo[], valueOf: (tensor: TensorInfo, index: number) => T): Record<string, T> =>
  Object.fromEntries(tensors.map((tensor, index) => [tensor.name, valueOf(tensor, index)]))

/**
 * Opens a bundle. Does nothing before the first use: a missing or damaged file is an error of `ready`, `run`, `runSync` or `bind`, and,
 * where the manifest is a file, of `name` and `info`. Errors are `GlowplugError`s with a code.
 */
export function open<I = Record<string, InputValue>, O = Record<string, TensorValue>>(
  source: Source,
  options: OpenOptions = {},
): Model<I, O> {
  const { target, instances = 1, queue = 1024, verify } = options
  if (!(instances >= 1 && queue >= 1)) fail('bad-option', 'instances and queue must be 1 or more')
  const { choice, plan: planFor } = createLoader(source, target)
  let workers: Workers | undefined
  let local: Instance | undefined
  let module: ModuleCode | undefined
  let closed = false
  /** Regions of requests that ended, for later ones. */
  const spare: ArrayBuffer[] = []

  const about = (text: string) => `model '${choice().manifest.model}' ${text}`
  const checkOpen = () => closed && fail('closed', about('is closed'))

  function copyInputs(inputs: any, memory: ArrayBufferLike, start: number): void {
    const tensors = choice().inputs
    checkNames(inputs, tensors, 'input')
    for (const tensor of tensors) copyInput(tensor, inputs?.[tensor.name], view(tensor, memory, start))
  }

  /** Where each output goes: to the caller's array, or to a new one. */
  function targetsIn(into: any): (TensorArray | undefined)[] {
    const { outputs } = choice()
    checkNames(into, outputs, 'output')
    return outputs.map((tensor) => into?.[tensor.name] && outputArray(tensor, into[tensor.name]))
  }

  const copyOutputs = (targets: readonly (TensorArray | undefined)[], memory: ArrayBufferLike, start: number): any =>
    named(choice().outputs, (tensor, index) => {
      // Checked again: the caller may have given the array's memory away while the run went on.
      const data = outputArray(tensor, targets[index] ?? new (arrayOf(tensor.dtype))(elementCount(tensor.shape)))
      data.set(view(tensor, memory, start) as never)
      return { data, shape: tensor.shape }
    })

  const faultOf = (fault: number) =>
    new GlowplugError('run-fault', choice().entry.faults[fault - 1] ?? about(`failed with code ${fault}`))

  function instantiate(): Instance {
    checkOpen()
    const plan = planFor(verify === 'full')
    if (typeof plan.code === 'string' && !module)
      fail('not-ready', about('is JavaScript here: await ready() before runSync() and bind()'))
    try {
      return engine().createInstance(plan, module)
    } catch (error) {
      throw explain(error, plan)
    }
  }

  function execute(instance: Instance): void {
    let fault = 0
    try {
      fault = instance.run()
    } catch (error) {
      local = undefined
      fail('run-crashed', about(`crashed: ${(error as Error).message}`), error)
    }
    if (fault) throw faultOf(fault)
  }

  function workerData(warm: boolean) {
    const plan = planFor(verify !== 'code')
    const { inputs, outputs } = choice()
    return { plan, inputs, outputs, warm: warm && typeof plan.code !== 'string' }
  }

  const pool = () => (workers ??= createWorkers(workerData, instances, queue, about))

  return {
    get name() {
      return choice().manifest.model
    },
    get info() {
      const { manifest, code, entry, inputs, outputs, fallback } = choice()
      const { model, glowplug, toolchain } = manifest
      return {
        ...{ model, target: code.target, level: code.level, ...(fallback && { fallback }), instances },
        ...{ regions: entry.regions, weightBytes: code.weights.bytes, inputs, outputs, glowplug, toolchain },
      }
    },
    // The body of a Promise runs at once: inputs are copied before the caller goes on, and what is thrown rejects.
    run: (inputs, { into, signal } = {}) =>
      new Promise((resolve, reject) => {
        checkOpen()
        if (signal && !signal.addEventListener) fail('bad-option', 'signal must be an AbortSignal')
        const aborted = () => new GlowplugError('run-aborted', about('aborted a run'), signal!.reason)
        if (signal?.aborted) throw aborted()
        const targets = targetsIn(into)
        const bytes = choice().entry.regions.mutable
        let region = spare.pop()
        // After a fallback, regions are laid out anew.
        if (region?.byteLength !== bytes) region = new ArrayBuffer(bytes)
        const settle = (returned?: ArrayBuffer) => {
          signal?.removeEventListener('abort', abort)
          if (returned && spare.length < instances) spare.push(returned)
        }
        const abort = () => {
          reject(aborted())
          settle(pool().remove(job) ? region : undefined)
        }
        const job: Job = {
          region,
          done(returned, fault) {
            settle(returned)
            if (signal?.aborted) return
            try {
              if (fault) throw faultOf(fault)
              resolve(copyOutputs(targets, returned, 0))
            } catch (error) {
              reject(error)
            }
          },
          failed(error) {
            reject(error)
            settle()
          },
        }
        try {
          copyInputs(inputs, region, 0)
          pool().add(job)
        } catch (error) {
          settle(region)
          throw error
        }
        signal?.addEventListener('abort', abort)
      }),
    runSync(inputs, { into } = {}) {
      checkOpen()
      local ??= instantiate()
      const { memory, mutable } = local
      const targets = targetsIn(into)
      copyInputs(inputs, memory, mutable)
      execute(local)
      return copyOutputs(targets, memory, mutable)
    },
    bind() {
      const instance = instantiate()
      const views = (tensors: readonly TensorInfo[]) =>
        named(tensors, (tensor) => view(tensor, instance.memory, instance.mutable))
      const { inputs, outputs } = choice()
      return {
        inputs: views(inputs),
        outputs: views(outputs),
        run() {
          checkOpen()
          execute(instance)
        },
      }
    },
    async ready() {
      checkOpen()
      const { code } = planFor(false)
      // Not a plain import(): bundlers try to follow those, and this address exists at run time alone.
      if (typeof code === 'string') module ??= await new Function('address', 'return import(address)')(code)
      await pool().ready()
    },
    async close() {
      closed = true
      local = module = undefined
      await workers?.close()
    },
  }
}

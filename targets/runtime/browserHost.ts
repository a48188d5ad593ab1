import type { WorkerStart } from './browserWorker.ts'
import workerText from './browserWorker.ts?source'
import { checkManifest } from './check.ts'
import { explain, fail } from './error.ts'
import { attempt, instantiate, type Port, serve } from './instance.ts'
import type { Located } from './locate.ts'
import type { Manifest } from './manifest.ts'
import type { Host, Loaded, OpenOptions } from './model.ts'
import type { Answer, Place, Plan, Request } from './plan.ts'
import { planOf } from './planOf.ts'
import type { Device } from './queue.ts'

/** A manifest that is part of the program, and where its files are: each at its own address or in memory, or all below `base`. */
export interface BrowserSource {
  readonly manifest: unknown
  readonly base?: string | URL
  /** By the name in the manifest. */
  readonly files?: Readonly<Record<string, string | URL | Uint8Array>>
}

/** A part of the weights file, whose digest is checked. */
export type ReadPart = (offset: number, bytes: number, digest: string | false) => Promise<Uint8Array>

/** What runs a module of WebAssembly, in a worker and on the page. */
export interface Runner {
  /** Source of the workers. */
  readonly text: string
  readonly instantiate: typeof instantiate
  readonly serve: typeof serve
  /** The plan with what else has to be fetched. */
  complete?(plan: Plan, manifest: Manifest, read: ReadPart): Promise<Plan>
  /** Of `text`, once it is needed. */
  address?: string
}

const plain: Runner = { text: workerText, instantiate, serve }

/** What the types of Node lack of a browser. */
declare const WebAssembly: any
declare const Worker: new (
  address: string,
) => {
  onmessage: ((event: { readonly data: Answer }) => void) | null
  onerror: ((event: { readonly message?: string }) => void) | null
  postMessage(message: WorkerStart | Request, transfer: ArrayBuffer[]): void
  terminate(): void
}

const warned = new Set<string>()

/** To the console, once. */
function warn(text: string): void {
  if (!warned.has(text)) console.warn(text)
  warned.add(text)
}

/** Outside of secure contexts browsers have no SHA-256. */
async function checkDigest(bytes: Uint8Array, digest: string): Promise<void> {
  const { subtle } = crypto
  if (!subtle) return warn('GLOWPLUG_UNVERIFIED: digests are checked on https and localhost alone')
  const hash = new Uint8Array(await subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>))
  if (hash.some((byte, i) => byte !== Number(`0x${digest.slice(7 + 2 * i, 9 + 2 * i)}`))) throw { code: 'digest' }
}

/** The part of a file of `total` bytes that starts at `offset`; `digest` is that of the part. */
async function read(place: Place, total: number, offset: number, bytes: number, digest: string | false): Promise<Uint8Array> {
  try {
    let content = place
    let found = 0
    if (typeof content === 'string') {
      const headers = bytes < total ? { range: `bytes=${offset}-${offset + bytes - 1}` } : {}
      const response = await fetch(content, { headers })
      const { ok, status } = response
      if (!ok) throw { code: status === 404 ? 'ENOENT' : status, message: status }
      content = new Uint8Array(await response.arrayBuffer())
      // Servers may answer with the whole file.
      if (status === 206) found = total - bytes
    }
    found += content.length
    if (found !== total) throw { code: 'size', message: found }
    if (content.length > bytes) content = content.slice(offset, offset + bytes)
    if (digest) await checkDigest(content, digest)
    return content
  } catch (error: any) {
    // Of fetch, where nobody answered.
    const { name, message } = error
    throw explain(name === 'TypeError' ? { code: name, message } : error, { place, bytes: total })
  }
}

function locate(source: BrowserSource): Located {
  const { manifest, files, base } = source
  if (!manifest) fail('bad-option', 'open() takes { manifest, files } here')
  return {
    manifest: checkManifest(manifest),
    place(file) {
      const found = files?.[file] ?? (base && new URL(file, base))
      if (!found) fail('bundle-missing-file', `no address for ${file}`)
      return found instanceof Uint8Array ? found : String(found)
    },
  }
}

/** WebAssembly of a bundle behind web addresses: fetched once, when first needed; run in Web Workers. */
export function createBrowserHost(source: BrowserSource, { target, verify }: OpenOptions, runner: Runner = plain): Host {
  let located: Located | undefined
  let loaded: Loaded | undefined
  let preparing: Promise<Plan> | undefined
  /** With the code and its constants in it. */
  let prepared: Plan | undefined
  const find = () => (located ??= locate(source))

  function load(): Loaded {
    const { manifest, place } = find()
    const { codes, model } = manifest
    const code =
      codes.find(({ kind, target: name }) => kind === 'wasm' && (!target || name === target)) ??
      fail('target-unavailable', `model '${model}' was built for ${codes.map((code) => code.target)}, not ${target ?? 'wasm'}`)
    const plan = planOf(find(), code, '')
    const { offset, bytes, digest } = code.weights

    /** Again after a failure. */
    const prepare = () =>
      (preparing ??= Promise.all([
        read(place(code.file), code.bytes, 0, code.bytes, code.digest).then((content) => WebAssembly.compile(content)),
        read(plan.place, plan.bytes, offset, bytes, verify !== 'code' && digest),
      ])
        .then(async ([module, constants]) => {
          const whole = { ...plan, code: module, place: constants }
          const complete = runner.complete?.(whole, manifest, (...part) => read(plan.place, plan.bytes, ...part))
          prepared = (await complete) ?? whole
          return prepared
        })
        .catch((error) => {
          preparing = undefined
          throw error
        }))

    return {
      ...plan,
      chosen: code,
      fallback: undefined,
      lead: () => 0,
      instantiate: () =>
        runner.instantiate(prepared ?? fail('not-ready', `model '${model}' is not fetched: await ready() first`)),
      start(warm, answer, broken) {
        let ended = false
        let device: Pick<Device, 'postMessage' | 'terminate'> | undefined
        const receive = (message: Answer) => (message.error ? broken(message.error, plan) : answer(message))

        function runHere(whole: Plan): void {
          warn('GLOWPLUG_NO_WORKER: run() blocks this page: its CSP lacks worker-src blob:')
          let handle: (request: Request) => void
          // In a turn of its own, so that the page goes on between requests.
          device = { postMessage: (request) => void setTimeout(() => ended || handle(request)), terminate() {} }
          const port: Port = {
            postMessage: receive,
            on(_, handler) {
              handle = (request) => attempt(port, () => handler(request))
            },
          }
          attempt(port, () => runner.serve(whole, runner.instantiate(whole), warm, port))
        }

        function runInWorker(whole: Plan): void {
          if (ended) return
          try {
            runner.address ??= URL.createObjectURL(new Blob([runner.text], { type: 'text/javascript' }))
            const worker = new Worker(runner.address)
            device = worker
            worker.onmessage = ({ data }) => receive(data)
            // One whose source may not be loaded ends without a word.
            worker.onerror = ({ message }) => (message ? broken(Error(message)) : runHere(whole))
            worker.postMessage({ plan: whole, warm }, [])
          } catch {
            runHere(whole)
          }
        }

        prepare().then(runInWorker, (error) => broken(error, plan))
        return {
          postMessage: (request, transfer) => device!.postMessage(request, transfer),
          terminate() {
            ended = true
            device?.terminate()
          },
        }
      },
    }
  }

  return { manifest: () => find().manifest, load: () => (loaded ??= load()) }
}

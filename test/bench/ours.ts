import type { open as openType } from '../../targets/runtime/index.ts'
import type { Binding, Model } from '../../targets/runtime/model.ts'

export type OurTarget = 'native' | 'wasm'

/** The loader as programs have it, from dist/. */
const loader = new URL('../runtime.js', import.meta.url).href

export const loadOurs = async () => (await import(loader)) as { readonly open: typeof openType }

/** A bundle, opened as programs open theirs. */
export async function openOurs(folder: string, target: OurTarget, threads: number): Promise<Model<any, any>> {
  const { open } = await loadOurs()
  return open(folder, { target, threads })
}

export type AnyBinding = Binding<any, any>

/** An entry's inputs and outputs in place, once its code is loaded: WebAssembly loads while others wait. */
export async function bindOurs(folder: string, target: OurTarget, threads: number, entry: string | undefined) {
  const model = await openOurs(folder, target, threads)
  await model.ready()
  const called = entry === undefined ? model : model.entries[entry]!
  return { model, called, bound: called.bind() as AnyBinding }
}

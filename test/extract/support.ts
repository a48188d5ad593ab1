import { transformSync } from 'esbuild'
import { Exhausted } from '../../plugin/extract/budget.ts'
import { uninitialised } from '../../plugin/extract/evaluate/scope.ts'
import { evaluateModules } from '../../plugin/extract/modules/evaluate.ts'
import { loadModules } from '../../plugin/extract/modules/load.ts'
import { createResolver } from '../../plugin/extract/modules/resolve.ts'
import { createSession } from '../../plugin/extract/session.ts'
import { parseSource } from '../../plugin/extract/syntax.ts'
import {
  Accessor,
  ArrayValue,
  ErrorValue,
  FunctionValue,
  isObject,
  MapValue,
  SetValue,
  Unknown,
  type Value,
} from '../../plugin/extract/values/value.ts'

export interface Outcome {
  /** The default export as text, or the code of the diagnostic that stands for it. */
  readonly text: string
  readonly codes: readonly string[]
  readonly messages: readonly string[]
}

/** Evaluates a module as the build does and shows its default export. */
export async function evaluateSource(source: string, define: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  const file = `${process.env.GLOWPLUG_ROOT}/test/extract/generated.ts`
  const session = createSession((name) => name.slice(name.lastIndexOf('/') + 1), define, parseSource(file, ''))
  const { entry } = await loadModules(session, file, source, createResolver(undefined))
  try {
    if (session.diagnostics.length === 0) evaluateModules(session, entry)
  } catch (error) {
    if (!(error instanceof Exhausted)) throw error
    session.diagnostics.push(error.diagnostic)
  }
  const codes = session.diagnostics.map((d) => d.code)
  const messages = session.diagnostics.map((d) => d.message)
  const local = entry.exports.get('default')
  const binding = local?.kind === 'local' ? entry.scope.names.get(local.name) : undefined
  const slot = binding && entry.frame.slots[binding.slot]
  if (slot === uninitialised) return { text: 'uninitialised', codes, messages }
  return { text: showValue(slot as Value), codes, messages }
}

/** Runs the same module in Node, without its types, and shows its default export. */
export function runInNode(source: string): string {
  const { code } = transformSync(source, { loader: 'ts', format: 'cjs', target: 'node20', supported: { 'const-and-let': true } })
  const module = { exports: {} as { default?: unknown } }
  new Function('module', 'exports', 'require', `'use strict';\n${code}`)(module, module.exports, undefined)
  return showHost(module.exports.default)
}

const showPrimitive = (value: unknown): string => {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'bigint') return `${value}n`
  return Object.is(value, -0) ? '-0' : String(value)
}

const entry = (name: string, text: string) => `${name}: ${text}`

export function showValue(value: Value, depth = 0): string {
  if (value instanceof Unknown) return `unknown ${value.diagnostic.code}`
  if (!isObject(value)) return showPrimitive(value)
  if (value.taint) return `tainted ${value.taint.diagnostic.code}`
  if (depth > 8) return '…'
  const show = (inner: Value) => showValue(inner, depth + 1)
  if (value instanceof FunctionValue) return `function ${value.name}/${value.length}`
  if (value instanceof ErrorValue) {
    const names = [...value.properties]
      .filter(([name]) => !value.hidden?.has(name))
      .map(([name, item]) => entry(name, show(item as Value)))
    let holder: typeof value.prototype = value
    while (holder && !holder.properties.has('name')) holder = holder.prototype
    return `error ${holder?.properties.get('name') as string}(${show(value.properties.get('message') as Value)}) {${names.join(', ')}}`
  }
  if (value instanceof ArrayValue) {
    const items = Array.from({ length: value.items.length }, (_, i) => (i in value.items ? show(value.items[i]) : 'hole'))
    return `[${items.join(', ')}]`
  }
  if (value instanceof MapValue) return `Map {${[...value.entries].map(([k, v]) => `${show(k)} => ${show(v)}`).join(', ')}}`
  if (value instanceof SetValue) return `Set {${[...value.members].map(show).join(', ')}}`
  const names = [...value.properties.keys()].filter((name) => !value.hidden?.has(name))
  const indices = names.filter((name) => /^(0|[1-9]\d*)$/.test(name)).sort((a, b) => Number(a) - Number(b))
  const ordered = [...indices, ...names.filter((name) => !indices.includes(name))]
  return `{${ordered
    .map((name) => {
      const property = value.properties.get(name)
      return entry(name, property instanceof Accessor ? 'accessor' : show(property as Value))
    })
    .join(', ')}}`
}

export function showHost(value: unknown, depth = 0): string {
  if (typeof value === 'function') return `function ${value.name}/${value.length}`
  if (typeof value !== 'object' || value === null) return showPrimitive(value)
  if (depth > 8) return '…'
  const show = (inner: unknown) => showHost(inner, depth + 1)
  if (value instanceof Error) {
    const own = Object.entries(value).map(([name, item]) => entry(name, show(item)))
    return `error ${value.name}(${Object.hasOwn(value, 'message') ? show(value.message) : 'undefined'}) {${own.join(', ')}}`
  }
  if (Array.isArray(value))
    return `[${Array.from({ length: value.length }, (_, i) => (i in value ? show(value[i]) : 'hole')).join(', ')}]`
  if (value instanceof Map) return `Map {${[...value].map(([k, v]) => `${show(k)} => ${show(v)}`).join(', ')}}`
  if (value instanceof Set) return `Set {${[...value].map(show).join(', ')}}`
  const all = Object.getOwnPropertyDescriptors(value)
  const names = Object.keys(value)
  return `{${names.map((name) => entry(name, all[name]!.get || all[name]!.set ? 'accessor' : show(all[name]!.value))).join(', ')}}`
}

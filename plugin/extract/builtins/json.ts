import { callFunction } from '../evaluate/invoke.ts'
import type { Session } from '../session.ts'
import { hostInExpression, toText } from '../values/convert.ts'
import { getProperty, ownNames } from '../values/property.ts'
import {
  ArrayValue,
  FunctionValue,
  HostValue,
  isObject,
  ObjectValue,
  type Primitive,
  UrlValue,
  type Value,
} from '../values/value.ts'
import { failBuiltin, known, members, refuseBuiltin, withStatics } from './define.ts'

/** The value that a JSON text describes, or nothing when it is malformed. */
export function fromJson(session: Session, text: string): { readonly value: Value } | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return undefined
  }
  return { value: copyIn(session, parsed) }
}

function copyIn(session: Session, host: unknown): Value {
  if (typeof host !== 'object' || host === null) return host as Primitive
  session.budget.spend(1)
  if (Array.isArray(host)) {
    session.budget.elements(host.length, host.length)
    return new ArrayValue(host.map((item) => copyIn(session, item)))
  }
  const object = new ObjectValue()
  for (const [name, value] of Object.entries(host)) object.properties.set(name, copyIn(session, value))
  return object
}

type Replace = (holder: Value, name: string, value: Value) => Value

/** A copy that the host can write out: plain arrays, and objects without a prototype. */
function copyOut(
  session: Session,
  holder: Value,
  name: string,
  value: Value,
  replace: Replace,
  allowed: ReadonlySet<string> | undefined,
  path: Value[],
): unknown {
  let source: Value = known(session, value)
  session.budget.spend(5)
  if (isObject(source) || typeof source === 'bigint') {
    const toJson = source instanceof HostValue ? undefined : getProperty(session, session.at, source, 'toJSON')
    if (toJson instanceof FunctionValue) source = callFunction(session, toJson, source, [name], session.at)
  }
  source = known(session, replace(holder, name, source))
  if (typeof source === 'bigint') return failBuiltin(session, 'TypeError', 'Do not know how to serialize a BigInt')
  if (!isObject(source) || source instanceof FunctionValue) return source instanceof FunctionValue ? undefined : source
  if (source instanceof HostValue) return known(session, hostInExpression(session))
  if (source instanceof UrlValue) return source.url.href
  if (path.includes(source)) return failBuiltin(session, 'TypeError', 'Converting circular structure to JSON')
  if (path.length > 400) return failBuiltin(session, 'RangeError', 'the value is nested too deep')
  const inner = [...path, source]
  const item = (key: string) =>
    copyOut(session, source, key, getProperty(session, session.at, source, key), replace, allowed, inner)
  if (source instanceof ArrayValue) return source.items.map((_, i) => item(String(i)))
  const copy: Record<string, unknown> = Object.create(null)
  for (const key of ownNames(source)) if (!allowed || allowed.has(key)) copy[key] = item(key)
  return copy
}

export const jsonObject = withStatics(
  new ObjectValue(),
  members({
    parse: [
      2,
      (session, _self, [text, reviver]) => {
        if (reviver !== undefined) return refuseBuiltin(session, 'the build does not call the reviver of JSON.parse')
        const source = toText(session, text)
        const parsed = fromJson(session, source)
        return parsed ? parsed.value : failBuiltin(session, 'SyntaxError', messageOf(source))
      },
    ],
    stringify: [
      3,
      (session, _self, [value, replacer, space]) => {
        const call = replacer instanceof FunctionValue ? replacer : undefined
        const node = session.at
        const replace: Replace = call
          ? (holder, name, content) => callFunction(session, call, holder, [name, content], node)
          : (_holder, _name, content) => content
        const allowed = replacer instanceof ArrayValue ? new Set(replacer.items.map((item) => toText(session, item))) : undefined
        const indent = known(session, space)
        const copy = copyOut(session, undefined, '', value, replace, allowed, [])
        const text = JSON.stringify(
          copy,
          undefined,
          typeof indent === 'number' || typeof indent === 'string' ? indent : undefined,
        )
        session.budget.characters(text?.length ?? 0)
        return text
      },
    ],
  }),
)

function messageOf(text: string): string {
  try {
    JSON.parse(text)
  } catch (error) {
    return (error as Error).message
  }
  return ''
}

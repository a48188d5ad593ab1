import type { Session } from '../session.ts'
import { toText } from '../values/convert.ts'
import { type ErrorName, errorNames, errorPrototypes, initialiseError } from '../values/error.ts'
import { getProperty } from '../values/property.ts'
import { BuiltinFunction, ErrorValue, isObject, UrlValue, type Value } from '../values/value.ts'
import { failBuiltin, known, members, withStatics } from './define.ts'

function makeConstructor(name: ErrorName): BuiltinFunction {
  const prototype = errorPrototypes.get(name)!
  const make = (session: Session, [message, options]: readonly Value[]): Value => {
    const error = new ErrorValue(prototype)
    const cause =
      isObject(options) && options.properties.has('cause')
        ? { value: getProperty(session, session.at, options, 'cause') }
        : undefined
    initialiseError(error, known(session, message) === undefined ? undefined : toText(session, message), cause)
    return error
  }
  const isInstance = (value: import('../values/value.ts').ObjectValue) => {
    for (let holder = value.prototype; holder; holder = holder.prototype) if (holder === prototype) return true
    return false
  }
  const made = new BuiltinFunction(name, 1, (session, _self, args) => make(session, args), {
    construct: make,
    isInstance,
    instancePrototype: prototype,
  })
  return withStatics(made, members({ captureStackTrace: [2, () => undefined] }))
}

export const errorFunctions: readonly BuiltinFunction[] = errorNames.map(makeConstructor)

/** `new URL(name, import.meta.url)` */
export const urlFunction = withStatics(
  new BuiltinFunction(
    'URL',
    1,
    (session) => failBuiltin(session, 'TypeError', "Class constructor URL cannot be invoked without 'new'", 'not-a-function'),
    {
      isInstance: (value) => value instanceof UrlValue,
      construct: (session, [address, base]) => {
        const text = address instanceof UrlValue ? address.url.href : toText(session, address)
        const from = base instanceof UrlValue ? base.url.href : base === undefined ? undefined : toText(session, base)
        if (!URL.canParse(text, from)) return failBuiltin(session, 'TypeError', 'Invalid URL')
        return new UrlValue(new URL(text, from))
      },
    },
  ),
  members({
    canParse: [
      1,
      (session, _self, [address, base]) =>
        URL.canParse(toText(session, address), base === undefined ? undefined : toText(session, base)),
    ],
  }),
)

export const urlMembers = members({
  toString: [0, (_session, self) => (self as UrlValue).url.href],
  toJSON: [0, (_session, self) => (self as UrlValue).url.href],
})

/** Parts of a URL that are texts. */
export const urlParts = new Set(['hash', 'host', 'hostname', 'href', 'origin', 'pathname', 'port', 'protocol', 'search'])

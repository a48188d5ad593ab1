import { ErrorValue, ObjectValue, type Value } from './value.ts'

export const errorNames = ['Error', 'TypeError', 'RangeError', 'ReferenceError', 'SyntaxError', 'EvalError', 'URIError'] as const
export type ErrorName = (typeof errorNames)[number]

/** Shared by all extractions, which is safe because they are frozen. */
export const errorPrototypes: ReadonlyMap<ErrorName, ObjectValue> = (() => {
  const made = new Map<ErrorName, ObjectValue>()
  for (const name of errorNames) {
    const prototype = new ObjectValue(made.get('Error'))
    prototype.properties.set('name', name).set('message', '')
    prototype.hidden = new Set(['name', 'message'])
    prototype.frozen = true
    made.set(name, prototype)
  }
  return made
})()

/** Gives an error its own, hidden properties, as the constructor `Error(message, { cause })` does. */
export function initialiseError(error: ObjectValue, message: Value, cause?: { readonly value: Value }): void {
  error.hidden = new Set([...(error.hidden ?? []), 'message', 'cause'])
  if (message !== undefined) error.properties.set('message', message)
  if (cause) error.properties.set('cause', cause.value)
}

export function makeError(name: ErrorName, message: string): ErrorValue {
  const error = new ErrorValue(errorPrototypes.get(name))
  initialiseError(error, message)
  return error
}

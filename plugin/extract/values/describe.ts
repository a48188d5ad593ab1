import { describeValue } from './convert.ts'
import { ErrorValue, isObject, type ObjectValue, type Property, type Value } from './value.ts'

/** What a message says about a thrown value. Reads what is there and runs nothing. */
export function describeError(value: Value): string {
  if (!isObject(value)) return `the model throws ${describeValue(value)}`
  const name = inherited(value, 'name')
  const message = inherited(value, 'message')
  if (typeof message === 'string' && message !== '')
    return typeof name === 'string' && name !== 'Error' ? `${name}: ${message}` : message
  return value instanceof ErrorValue && typeof name === 'string'
    ? `the model throws ${name}`
    : `the model throws ${describeValue(value)}`
}

function inherited(value: ObjectValue, name: string): Property {
  for (let holder: ObjectValue | undefined = value; holder; holder = holder.prototype) {
    if (holder.properties.has(name)) return holder.properties.get(name)
  }
  return undefined
}

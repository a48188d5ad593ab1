import type { Session } from '../session.ts'
import { isTruthy, toInteger, toNumber, toText } from '../values/convert.ts'
import { entryPairs } from '../values/iterate.ts'
import { ArrayValue, IteratorValue, isNullish, Unknown, type Value } from '../values/value.ts'
import { callbackOf, failBuiltin, known, members } from './define.ts'

/**
 * Arrays keep their elements in an array of the host, holes included, so most methods are the host's own with converted arguments
 * and callbacks. What a method goes over is counted as steps.
 */
const itemsOf = (session: Session, self: Value, name: string): Value[] => {
  if (!(self instanceof ArrayValue)) return failBuiltin(session, 'TypeError', `Array.prototype.${name} called on something else`)
  session.budget.spend(self.items.length >> 1)
  return self.items
}

const writable = (session: Session, self: Value, name: string): Value[] => {
  if (self instanceof ArrayValue && self.frozen)
    return failBuiltin(session, 'TypeError', `Cannot ${name} a frozen array`, 'read-only')
  return itemsOf(session, self, name)
}

const list = (session: Session, items: Value[]): ArrayValue => {
  session.budget.elements(items.length, items.length)
  return new ArrayValue(items)
}

type Visit<T> = (items: Value[], visit: (value: Value, index: number) => T) => Value | Value[]

/** A method that calls back with element, index and array. */
const visiting =
  (name: string, run: Visit<Value>) =>
  (session: Session, self: Value, [callback, thisArgument]: readonly Value[]): Value => {
    const items = itemsOf(session, self, name)
    const call = callbackOf(session, callback, thisArgument)
    const result = run(items, (value, index) => call(value, index, self))
    return Array.isArray(result) ? list(session, result) : result
  }

const testing = (name: string, run: Visit<boolean>) => (session: Session, self: Value, args: readonly Value[]) =>
  visiting(name, (items, visit) => run(items, (value, index) => isTruthy(session, visit(value, index))))(session, self, args)

const position = (session: Session, value: Value, fallback: number): number =>
  value === undefined ? fallback : toInteger(session, value)

/** Searching among unknown elements finds nothing certain. */
function searched(session: Session, items: readonly Value[], target: Value): Value {
  for (const item of items) if (item instanceof Unknown) known(session, item)
  return known(session, target)
}

export function compareText(session: Session): (a: Value, b: Value) => number {
  return (a, b) => {
    const [left, right] = [toText(session, a), toText(session, b)]
    return left < right ? -1 : left > right ? 1 : 0
  }
}

function comparison(session: Session, compare: Value): (a: Value, b: Value) => number {
  if (compare === undefined) return compareText(session)
  const call = callbackOf(session, compare)
  return (a, b) => toNumber(session, call(a, b))
}

/** Sorting compares each element with about log2 n others. */
function prepareSort(session: Session, items: readonly Value[]): void {
  session.budget.spend(items.length * Math.ceil(Math.log2(items.length + 1)))
  for (const item of items) known(session, item)
}

const reduce =
  (name: 'reduce' | 'reduceRight') =>
  (session: Session, self: Value, args: readonly Value[]): Value => {
    const items = itemsOf(session, self, name)
    const call = callbackOf(session, args[0])
    const step = (sum: Value, value: Value, index: number) => call(sum, value, index, self)
    if (args.length > 1) return items[name](step, args[1])
    if (!items.some(() => true)) return failBuiltin(session, 'TypeError', 'Reduce of empty array with no initial value')
    return (items as Value[])[name](step)
  }

export function joinItems(session: Session, items: readonly Value[], separator: string): string {
  let text = ''
  for (let i = 0; i < items.length; i++) {
    const item = known(session, items[i])
    const part = isNullish(item) ? '' : toText(session, item)
    session.budget.characters(part.length + separator.length)
    if (text.length + part.length > 1_000_000) session.budget.characters(text.length + part.length)
    text += i === 0 ? part : separator + part
  }
  return text
}

function flatten(session: Session, items: readonly Value[], depth: number): Value[] {
  const result: Value[] = []
  items.forEach((item) => {
    if (item instanceof ArrayValue && depth >= 1) {
      known(session, item)
      const outer = session.budget.depth()
      session.budget.enter(3)
      for (const inner of flatten(session, item.items, depth - 1)) result.push(inner)
      session.budget.restore(outer)
    } else result.push(item)
    session.budget.elements(1, result.length)
  })
  return result
}

export const arrayMembers = members({
  at: [1, (session, self, [index]) => itemsOf(session, self, 'at').at(toInteger(session, index))],
  concat: [
    1,
    (session, self, args) => {
      const parts = [self, ...args].map((part) =>
        part instanceof ArrayValue ? (known(session, part) as ArrayValue).items : part,
      )
      return list(session, ([] as Value[]).concat(...(parts as Value[])))
    },
  ],
  every: [1, testing('every', (items, visit) => items.every(visit))],
  some: [1, testing('some', (items, visit) => items.some(visit))],
  filter: [1, testing('filter', (items, visit) => items.filter(visit))],
  find: [1, testing('find', (items, visit) => items.find(visit))],
  findIndex: [1, testing('findIndex', (items, visit) => items.findIndex(visit))],
  findLast: [1, testing('findLast', (items, visit) => items.findLast(visit))],
  findLastIndex: [1, testing('findLastIndex', (items, visit) => items.findLastIndex(visit))],
  map: [1, visiting('map', (items, visit) => items.map(visit))],
  forEach: [1, visiting('forEach', (items, visit) => items.forEach(visit) as undefined)],
  flatMap: [
    1,
    (session, self, [callback, thisArgument]) => {
      const call = callbackOf(session, callback, thisArgument)
      return list(
        session,
        flatten(
          session,
          itemsOf(session, self, 'flatMap').map((value, i) => call(value, i, self)),
          1,
        ),
      )
    },
  ],
  flat: [
    0,
    (session, self, [depth]) => list(session, flatten(session, itemsOf(session, self, 'flat'), position(session, depth, 1))),
  ],
  reduce: [1, reduce('reduce')],
  reduceRight: [1, reduce('reduceRight')],
  includes: [
    1,
    (session, self, [target, from]) => {
      const items = itemsOf(session, self, 'includes')
      return items.includes(searched(session, items, target), position(session, from, 0))
    },
  ],
  indexOf: [
    1,
    (session, self, [target, from]) => {
      const items = itemsOf(session, self, 'indexOf')
      return items.indexOf(searched(session, items, target), position(session, from, 0))
    },
  ],
  lastIndexOf: [
    1,
    (session, self, args) => {
      const items = itemsOf(session, self, 'lastIndexOf')
      const target = searched(session, items, args[0])
      return args.length > 1 ? items.lastIndexOf(target, toInteger(session, args[1])) : items.lastIndexOf(target)
    },
  ],
  join: [
    1,
    (session, self, [separator]) =>
      joinItems(session, itemsOf(session, self, 'join'), separator === undefined ? ',' : toText(session, separator)),
  ],
  toString: [0, (session, self) => joinItems(session, itemsOf(session, self, 'toString'), ',')],
  slice: [
    2,
    (session, self, [start, end]) => {
      const items = itemsOf(session, self, 'slice')
      return list(session, items.slice(position(session, start, 0), position(session, end, items.length)))
    },
  ],
  push: [
    1,
    (session, self, args) => {
      const items = self instanceof ArrayValue && !self.frozen ? self.items : writable(session, self, 'push to')
      session.budget.elements(args.length, items.length + args.length)
      for (const value of args) items.push(value)
      return items.length
    },
  ],
  pop: [
    0,
    (session, self) => (self instanceof ArrayValue && !self.frozen ? self.items : writable(session, self, 'pop from')).pop(),
  ],
  shift: [0, (session, self) => writable(session, self, 'shift').shift()],
  unshift: [
    1,
    (session, self, args) => {
      const items = writable(session, self, 'unshift')
      session.budget.elements(args.length, items.length + args.length)
      return items.unshift(...args)
    },
  ],
  splice: [
    2,
    (session, self, args) => {
      const items = writable(session, self, 'splice')
      if (args.length === 0) return list(session, items.splice(0, 0))
      const start = toInteger(session, args[0])
      if (args.length === 1) return list(session, items.splice(start))
      const added = args.slice(2)
      session.budget.elements(added.length, items.length + added.length)
      return list(session, items.splice(start, toInteger(session, args[1]), ...added))
    },
  ],
  toSpliced: [
    2,
    (session, self, args) => {
      const items = [...itemsOf(session, self, 'toSpliced')]
      if (args.length > 0) {
        const start = toInteger(session, args[0])
        if (args.length === 1) items.splice(start)
        else items.splice(start, toInteger(session, args[1]), ...args.slice(2))
      }
      return list(session, items)
    },
  ],
  reverse: [
    0,
    (session, self) => {
      writable(session, self, 'reverse').reverse()
      return self
    },
  ],
  toReversed: [0, (session, self) => list(session, itemsOf(session, self, 'toReversed').toReversed())],
  sort: [
    1,
    (session, self, [compare]) => {
      const items = writable(session, self, 'sort')
      prepareSort(session, items)
      items.sort(comparison(session, compare))
      return self
    },
  ],
  toSorted: [
    1,
    (session, self, [compare]) => {
      const items = itemsOf(session, self, 'toSorted')
      prepareSort(session, items)
      return list(session, items.toSorted(comparison(session, compare)))
    },
  ],
  fill: [
    1,
    (session, self, [value, start, end]) => {
      const items = writable(session, self, 'fill')
      session.budget.spend(items.length)
      items.fill(value, position(session, start, 0), position(session, end, items.length))
      return self
    },
  ],
  with: [
    2,
    (session, self, [index, value]) => {
      const items = itemsOf(session, self, 'with')
      const at = toInteger(session, index)
      if (at >= items.length || at < -items.length) return failBuiltin(session, 'RangeError', 'Invalid index : out of range')
      return list(session, items.with(at, value))
    },
  ],
  keys: [0, (session, self) => new IteratorValue(itemsOf(session, self, 'keys').keys(), 'Array')],
  values: [0, (session, self) => new IteratorValue(itemsOf(session, self, 'values').values(), 'Array')],
  entries: [0, (session, self) => new IteratorValue(entryPairs(itemsOf(session, self, 'entries').entries()), 'Array')],
})

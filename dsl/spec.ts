import { type Location, ModelProblem, mainEntry, type ProblemCode } from '../compiler/graph/index.ts'
import { isPlainObject } from './check.ts'
import { describe, isDescribedInput, stateDescription } from './tracer.ts'

type Path = readonly string[]
type StateDescription = NonNullable<ReturnType<typeof stateDescription>>

/** Something wrong with the object given to `model()`, and where in it: `['entries', 'step', 'inputs', 'token']`. */
export interface SpecProblem {
  readonly problem: ModelProblem
  readonly path: Path
  /** Where it stands in `forward`, if it does, and what to write instead. */
  readonly locations?: readonly Location[]
  readonly help?: string
}

/** Gathers mistakes. */
export interface Problems {
  readonly list: SpecProblem[]
  /** Several. */
  tell(problems: readonly SpecProblem[]): void
  add(code: ProblemCode, message: string, ...path: Path): void
  /** Runs a step whose ModelProblem belongs to `path`; the result is undefined when it throws one. */
  attempt<T>(path: Path, step: () => T): T | undefined
}

export function createProblems(): Problems {
  const list: SpecProblem[] = []
  return {
    list,
    tell: (problems) => void list.push(...problems),
    add: (code, message, ...path) => void list.push({ problem: new ModelProblem(code, message), path }),
    attempt(path, step) {
      try {
        return step()
      } catch (error) {
        if (!(error instanceof ModelProblem)) throw error
        list.push({ problem: error, path })
        return undefined
      }
    },
  }
}

/** What one graph is built from. */
export interface EntrySpec {
  readonly name: string
  /** Where it stands in the spec: `[]` where the model itself has `inputs` and `forward`. */
  readonly path: Path
  /** What messages about it begin with. */
  readonly where: string
  /** The object with `inputs` and `forward`. */
  readonly owner: Readonly<Record<string, unknown>>
}

/** Each is compiled by itself; nobody writes more by hand. */
const maximumEntries = 256

/** The entries of what `model()` was given. What they hold is checked by whoever builds them. */
export function readSpec(spec: unknown, problems: Problems): readonly EntrySpec[] {
  if (!isPlainObject(spec)) {
    problems.add('bad-model', `model() takes an object with name, inputs and forward, got ${describe(spec)}`)
    return []
  }
  if (!('entries' in spec)) {
    checkKeys(spec, ['name', 'inputs', 'forward', 'state'], 'model()', [], problems)
    checkName(spec.name, 'name of the model', problems, 'name')
    return [{ name: mainEntry, path: [], where: 'model()', owner: spec }]
  }
  for (const key of ['inputs', 'forward']) {
    if (key in spec)
      problems.add('bad-model', `model(): ${key} stands beside entries; a model with entries has it in each of them`, key)
  }
  const { inputs, forward, ...others } = spec
  checkKeys(others, ['name', 'entries', 'state'], 'model()', [], problems)
  checkName(spec.name, 'name of the model', problems, 'name')
  if (!isPlainObject(spec.entries)) {
    problems.add(
      'bad-model',
      `model(): entries must be an object of { inputs, forward }, got ${describe(spec.entries)}`,
      'entries',
    )
    return []
  }
  const entries = Object.entries(spec.entries)
  if (entries.length === 0)
    problems.add('bad-model', 'model(): entries must have at least one entry, got an empty object', 'entries')
  if (entries.length > maximumEntries) {
    problems.add('bad-model', `model(): entries may have ${maximumEntries} entries at most, got ${entries.length}`, 'entries')
    return []
  }
  return entries.flatMap(([name, owner]) => {
    const [path, where] = [['entries', name], `model(): entry '${name}'`]
    checkName(name, 'name of an entry', problems, ...path)
    if (!isPlainObject(owner)) {
      problems.add('bad-model', `${where} must be an object with inputs and forward, got ${describe(owner)}`, ...path)
      return []
    }
    if ('state' in owner)
      problems.add('bad-model', `${where} has a state of its own; write it beside entries, which share it`, ...path, 'state')
    const { state: _, ...rest } = owner
    checkKeys(rest, ['inputs', 'forward'], where, path, problems)
    return [{ name, path, where, owner }]
  })
}

/** A session's worth of values; nobody writes more by hand, and an imported model has two for each of its layers. */
const maximumStates = 1024

/** The states of what `model()` was given, by name; undefined where it declares none. */
export function readStates(spec: unknown, problems: Problems): ReadonlyMap<string, StateDescription> | undefined {
  if (!isPlainObject(spec) || !('state' in spec)) return undefined
  if (!isPlainObject(spec.state)) {
    problems.add('bad-model', `model(): state must be an object of state() descriptions, got ${describe(spec.state)}`, 'state')
    return undefined
  }
  const entries = Object.entries(spec.state)
  if (entries.length > maximumStates)
    problems.add('bad-model', `model(): state may have ${maximumStates} names at most, got ${entries.length}`, 'state')
  return new Map(
    entries.slice(0, maximumStates).flatMap(([name, value]) => {
      checkName(name, 'name of a state', problems, 'state', name)
      const description = stateDescription(value)
      if (description) return [[name, description] as const]
      const got = isDescribedInput(value) ? 'what tensor() describes, an input' : describe(value)
      problems.add('bad-model', `model(): state '${name}' must be described by state(dtype, shape), got ${got}`, 'state', name)
      return []
    }),
  )
}

function checkKeys(object: object, known: readonly string[], what: string, path: Path, problems: Problems): void {
  for (const key of Object.keys(object)) {
    if (known.includes(key)) continue
    const takes = `${known.slice(0, -1).join(', ')} and ${known.at(-1)}`
    problems.add('bad-model', `${what} has no property ${describe(key)}; it takes ${takes}`, ...path, key)
  }
}

const identifier = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/

export function checkName(name: unknown, what: string, problems: Problems, ...path: Path): void {
  if (typeof name === 'string' && identifier.test(name) && !(name in Object.prototype)) return
  problems.add(
    'bad-name',
    `the ${what} must consist of letters, digits and _, at most 64, not start with a digit, and mean nothing to JavaScript; got ${describe(name)}`,
    ...path,
  )
}

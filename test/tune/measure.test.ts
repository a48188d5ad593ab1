import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Course, type CourseStep, measure } from '../../plugin/tune/measure.ts'

/** Entries that take the given times on a clock of their own; `noise` says what a run takes more. */
function simulate(times: readonly number[], noise: (run: number) => number | undefined = () => 0) {
  let clock = 0
  const ran: number[] = []
  return {
    ran,
    now: () => clock,
    run(entry: number) {
      const more = noise(ran.push(entry))
      const took = times[entry]! + (more ?? 1e6)
      clock += took
      return more === undefined ? undefined : took
    },
  }
}

/** Kernels with these times of their ways, called so often, one behind the other, with a step of one way between them. */
function courseOf(kernels: readonly { readonly ways: readonly number[]; readonly calls: number }[]): {
  readonly course: Course
  readonly times: number[]
} {
  const times = [50]
  const steps: CourseStep[] = []
  for (const [kernel, { ways, calls }] of kernels.entries())
    for (let call = 0; call < calls; call++) {
      const entries = ways.map((time) => times.push(time) - 1)
      steps.push({ entry: 0 }, { kernel, entries, repeats: 1 })
    }
  return { course: { steps, ways: kernels.map(({ ways }) => ways.length) }, times }
}

const drawn = fc.array(
  fc.record({
    ways: fc.array(fc.integer({ min: 100, max: 1000 }), { minLength: 2, maxLength: 8 }),
    calls: fc.integer({ min: 1, max: 4 }),
  }),
  { minLength: 1, maxLength: 4 },
)

test('without noise every way that matters gets its own time, and the fastest is among them', () => {
  fc.assert(
    fc.property(drawn, (kernels) => {
      const { course, times } = courseOf(kernels)
      const { run, now } = simulate(times)
      const found = measure(course, { run, now, budget: 1e12 })
      for (const [kernel, { ways }] of kernels.entries()) {
        assert.equal(found[kernel], ways)
      }
    }),
    { seed: 64, numRuns: 40 },
  )
})

test('runs that something else disturbed do not count, and one in ten that is slow hides nothing', () => {
  fc.assert(
    fc.property(drawn, fc.integer({ min: 0, max: 1e6 }), (kernels, seed) => {
      const { course, times } = courseOf(kernels)
      let state = seed
      const draw = () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0
        return state / 2 ** 32
      }
      const { run, now } = simulate(times, () => (draw() < 0.2 ? undefined : draw() < 0.1 ? 700 : 0))
      const found = measure(course, { run, now, budget: 1e12 })
      for (const [kernel, { ways }] of kernels.entries()) {
        const best = found[kernel]!.indexOf(Math.min(...found[kernel]!.map((time) => time ?? Number.POSITIVE_INFINITY)))
        assert.is(ways[best], Math.min(...ways))
      }
    }),
    { seed: 65, numRuns: 40 },
  )
})

test('every choice of ways is run twice over, so that what counts finds the caches as its own last run left them', () => {
  const { course, times } = courseOf([{ ways: [300, 310], calls: 2 }])
  const { run, now, ran } = simulate(times)
  measure(course, { run, now, budget: 1e12 })
  // Behind the first run of every entry.
  const passes = ran.slice(2 * 3)
  for (let pass = 0; pass + 8 <= passes.length; pass += 8) {
    const [first, second] = [passes.slice(pass, pass + 4), passes.slice(pass + 4, pass + 8)]
    assert.equal(first, second)
    assert.is.not(times[first[1]!], times[first[3]!], 'calls of one kernel take turns')
  }
})

test('what is hopeless is left out of later rounds; what others are compared with never is', () => {
  const { course, times } = courseOf([{ ways: [1000, 500, 505, 900], calls: 1 }])
  const { run, now, ran } = simulate(times)
  const rounds: number[] = []
  measure(course, { run, now, budget: 1e12, onRound: (round) => rounds.push(round) })
  assert.equal(rounds.length, 10)
  const counts = [1, 2, 3, 4].map((entry) => ran.filter((each) => each === entry).length)
  assert.ok(counts[3]! < 15, `${counts}`)
  for (const way of [0, 1, 2]) assert.ok(counts[way]! >= 100, `${counts}`)
})

test('the time is kept to but for the first round, without which nothing is known', () => {
  const { course, times } = courseOf([{ ways: [1000, 500, 800], calls: 1 }])
  const spent: number[] = []
  const { run, now } = simulate(times)
  const found = measure(course, { run, now, budget: 20_000, onRound: (_, time) => spent.push(time) })
  assert.equal(found, [[1000, 500, 800]])
  assert.ok(spent.length === 1 && spent[0]! < 40_000, `${spent}`)
})

test('where everything is disturbed, nothing is known, and it ends all the same', () => {
  const { course, times } = courseOf([{ ways: [1000, 500], calls: 1 }])
  const { run, now } = simulate(times, () => undefined)
  assert.equal(measure(course, { run, now, budget: 1e15 }), [[undefined, undefined]])
})

test.run()

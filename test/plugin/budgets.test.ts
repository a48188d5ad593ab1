import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { DiagnosticError } from '../../compiler/diagnostics/diagnostic.ts'
import { add, mul, state, model as stateModel, tensor } from '../../dsl/index.ts'
import { traceModel } from '../../dsl/trace.ts'
import { compile } from '../../plugin/compile.ts'
import { variantOf } from '../../plugin/core.ts'
import { findOptionProblems, type Options } from '../../plugin/options.ts'
import { f32, graphOf, weights } from '../support/graphs.ts'

/** Two products; the weights are 1024 and 512 bytes, the value between them is 1024 bytes. */
const model = () =>
  graphOf((b) => {
    const hidden = b.add('matmul', { left: b.input('x', f32(16, 16)), right: weights(b, 'first', 16, 16) })
    return { y: b.add('matmul', { left: b.add('exp', { input: hidden }), right: weights(b, 'second', 16, 8) }) }
  })

async function complaint(budgets: Parameters<typeof compile>[1] & object): Promise<DiagnosticError['diagnostics']> {
  try {
    await compile(model(), budgets)
    return []
  } catch (error) {
    assert.instance(error, DiagnosticError)
    return (error as DiagnosticError).diagnostics
  }
}

test('budgets that are kept change nothing', async () => {
  const free = await compile(model())
  const kept = await compile(model(), { budgets: { memory: 1 << 20, weights: 1536, code: 1 << 20 } })
  assert.equal([...kept.files.keys()], [...free.files.keys()])
})

test('the state of a session is part of the budget of memory', async () => {
  const stateful = traceModel(
    stateModel({
      name: 'stateful',
      state: { cache: state('f32', [1000]) },
      inputs: { x: tensor('f32', [1000]) },
      forward: ({ x }, { cache }) => ({ y: add(cache, x), cache: mul(x, 2) }),
    }),
  )
  const needed = 3 * 4032
  await compile(stateful, { target: 'wasm', budgets: { memory: needed } })
  const error = await compile(stateful, { target: 'wasm', budgets: { memory: needed - 1 } }).then(
    () => undefined,
    (error) => error,
  )
  assert.instance(error, DiagnosticError)
  assert.match(error.diagnostics[0].message, /needs 12096 bytes .*, 4032 for the state of a session\), 1 more than/)
  assert.ok(error.diagnostics[0].notes.some(({ message }: { message: string }) => /bytes: state 'cache'/.test(message)))
})

test('each budget that is exceeded is told with the largest contributors', async () => {
  const told = await complaint({ budgets: { memory: 2048, weights: 1535, code: 10 } })
  assert.equal(
    told.map(({ code }) => code),
    ['over-budget', 'over-budget', 'over-budget'],
  )
  const [memory, weights, code] = told
  assert.match(
    memory!.message,
    /'test' for wasm simd128: entry '.*' needs \d+ bytes of memory \(\d+ for activations, 1536 for inputs/,
  )
  assert.ok(memory!.notes.some(({ message }) => /^1024 bytes: activation '.*', live at instruction \d+$/.test(message)))
  assert.match(weights!.message, /has 1536 bytes of weights, 1 more than its budget of 1535/)
  assert.equal(
    weights!.notes.map(({ message }) => message.slice(0, 10)),
    ['1024 bytes', '512 bytes:'],
  )
  assert.match(code!.message, /bytes of code, \d+ more than its budget of 10/)
  assert.ok(code!.notes.length > 0)
})

test('budgets of the plugin are checked', async () => {
  assert.equal(await findOptionProblems({ budgets: { memory: 5, code: undefined } }), [])
  assert.match((await findOptionProblems({ budgets: { memoy: 10 } }))[0]!, /there is no budget 'memoy'.*did you mean 'memory'/)
  for (const budgets of [5, [], { memory: -1 }, { weights: '5' }, { other: 1 }])
    assert.match((await findOptionProblems({ budgets }))[0]!, /option 'budgets' must be an object of memory, weights and code/)
})

/** Three values of the input, each 16 KiB, that are needed early and late. */
const waiting = () =>
  graphOf((b) => {
    const x = b.input('x', f32(128, 32))
    const kept = [1, 2, 3].map((n) => b.add('sin', { input: b.add('mul', { left: x, right: b.scalar('f32', n) }) }))
    const narrow = kept
      .map((value, n) => b.add('matmul', { left: value, right: weights(b, `down${n}`, 32, 2) }))
      .reduce((left, right) => b.add('add', { left, right }))
    let wide = b.add('matmul', { left: narrow, right: weights(b, 'up', 2, 32) })
    for (const [n, value] of kept.entries())
      wide = b.add('matmul', { left: b.add('add', { left: wide, right: value }), right: weights(b, `mix${n}`, 32, 32) })
    return { y: wide }
  })

const notesOf = async (options: Parameters<typeof compile>[1] & object) => {
  try {
    await compile(waiting(), { target: 'interpreter', ...options })
    return undefined
  } catch (error) {
    return (error as DiagnosticError).diagnostics[0]!.notes.map(({ message }) => message)
  }
}

test('a budget of memory says that recomputation could help, lets it, and says when it was tried', async () => {
  const value = 128 * 32 * 4
  const budgets = { memory: 5 * value }
  const told = await notesOf({ budgets })
  assert.match(told!.at(-1)!, /^\d+ bytes of activations only wait there for later: with 'recompute', cheap ones are made again/)
  assert.is(await notesOf({ budgets, recompute: true }), undefined)
  assert.match((await notesOf({ budgets: { memory: 2 * value }, recompute: true }))!.at(-1)!, /^'recompute' was tried/)
})

test('without values that wait, nothing is said of recomputation', async () => {
  const [diagnostic] = await complaint({ budgets: { memory: 100 } })
  assert.not(diagnostic!.notes.some(({ message }) => /recompute/.test(message)))
})

test('recompute is checked, needs a budget, and decides about what the cache gives', async () => {
  assert.equal(await findOptionProblems({ budgets: { memory: 5 }, recompute: true }), [])
  assert.equal(await findOptionProblems({ recompute: false }), [])
  assert.match(
    (await findOptionProblems({ budgets: { memory: 5 }, recompute: 1 }))[0]!,
    /option 'recompute' must be true or false/,
  )
  for (const budgets of [undefined, {}, { weights: 5 }])
    assert.match((await findOptionProblems({ recompute: true, budgets }))[0]!, /option 'recompute' needs a budget to meet/)
  try {
    await compile(model(), { recompute: true })
    assert.unreachable()
  } catch (error) {
    assert.instance(error, RangeError)
    assert.match((error as Error).message, /needs a budget to meet: state 'budgets.memory'/)
  }
  const variant = (options: Options) => variantOf({ targets: 'interpreter', budgets: { memory: 5 }, ...options }, 'node')
  assert.is(variant({}), variant({}))
  assert.is.not(variant({ recompute: true }), variant({}))
})

test.run()

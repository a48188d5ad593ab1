import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { DiagnosticError } from '../../compiler/diagnostics/diagnostic.ts'
import { copyNode, type Graph, type Location, printGraph, rebuildGraph } from '../../compiler/graph/index.ts'
import { type Pass, passes } from '../../compiler/passes/index.ts'
import {
  type CompileError,
  compileGraph,
  compileUntil,
  firstBadApplication,
  nearestName,
  once,
  optimise,
  optimiseLowered,
  type PassList,
  type PipelineEvent,
  parsePassList,
  printPassList,
  printStage,
  readReproducer,
  runPasses,
  stageNames,
  untilStable,
} from '../../compiler/pipeline.ts'
import { evaluate, interpreter, runGraph } from '../../targets/interpreter/index.ts'
import { createTestGraph } from '../support/expression.ts'
import { targetWith } from '../support/program.ts'

function sample(): Graph {
  const g = createTestGraph()
  const x = g.op('relu', { input: g.op('add', { left: g.number(0), right: g.input('x', [2, 3]) }) })
  return g.graph(g.op('softmax', { input: g.op('matmul', { left: x, right: g.weight('w', [3, 8]) }) }))
}
const options = { target: interpreter, evaluate }
const every: readonly Pass[] = Object.values(passes)
const flat = (list: PassList): Pass[] => list.flatMap((entry) => (entry.kind === 'pass' ? [entry.pass] : flat(entry.entries)))

test('LO-01 a compilation goes through all stages, each with a text form and a time', () => {
  const result = compileGraph(sample(), options)
  for (const stage of stageNames) {
    assert.ok(printStage(result, stage)!.length > 20, stage)
    assert.type(result.times[stage], 'number')
  }
  assert.ok(result.program.regions.activations >= result.program.lowerBound)
})

test('OP-62 the pipeline is data: its text reads back', () => {
  for (const list of [optimise, optimiseLowered]) {
    const text = printPassList(list)
    assert.is(printPassList(parsePassList(text)), text)
  }
  const list = [once(passes.foldConstants), untilStable([once(passes.simplifyPad), once(passes.sinkReshape)], 8)]
  assert.is(printPassList(list), 'fold-constants, until-stable(8)[simplify-pad, sink-reshape]')
  assert.equal(parsePassList(' '), [])
})

test('OP-62 a list that cannot be read says why, with the nearest name', () => {
  const message = (text: string) => {
    try {
      parsePassList(text)
      return 'no error'
    } catch (error) {
      return (error as Error).message
    }
  }
  assert.is(message('fold-constant'), "unknown pass 'fold-constant'; did you mean 'fold-constants'?")
  assert.is(message('sink-transposes, quux'), "unknown pass 'sink-transposes'; did you mean 'sink-transpose'?")
  assert.is(message('quux'), "unknown pass 'quux'")
  assert.is(message('fold-constants,'), "unknown pass ''")
  assert.is(message('until-stable(0)[fold-constants]'), 'until-stable takes a limit of 1 to 100')
  assert.is(message('until-stable(2)[fold-constants'), 'expected ], found the end')
  assert.is(message('fold-constants fold-constants'), 'unexpected fold-constants')
  assert.is(nearestName('x', ['kernels', 'memory']), undefined)
})

test('names agree: export, command line, default pipeline', () => {
  for (const [key, pass] of Object.entries(passes)) {
    assert.is(
      pass.name,
      key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
    )
    assert.ok(flat(optimise).includes(pass), `${pass.name} is in no pipeline`)
    assert.is(flat(optimiseLowered).includes(pass), (pass as Pass).level === 'any')
  }
})

test('the default pipeline runs every pass after those it follows', () => {
  const order = flat(optimise).map((pass) => pass.name)
  for (const pass of every) {
    for (const { pass: earlier } of pass.follows ?? []) {
      assert.ok(order.indexOf(earlier) >= 0, `${pass.name} follows ${earlier}, which does not exist`)
      assert.ok(order.indexOf(earlier) < order.indexOf(pass.name), `${pass.name} must follow ${earlier}`)
    }
  }
})

test('OP-64 the log tells what each pass did', () => {
  const { log } = compileGraph(sample(), options)
  const arithmetic = log.find((record) => record.pass === 'simplify-arithmetic' && record.changed)!
  assert.equal([arithmetic.phase, arithmetic.round, arithmetic.nodesBefore, arithmetic.nodesAfter], ['optimise', 1, 7, 5])
  assert.equal(
    arithmetic.applications.map(({ rule }) => rule),
    ['constant-to-the-right', 'neutral-operand'],
  )
  for (const record of log) {
    assert.ok(record.milliseconds >= 0)
    // Lowering is no pass: it has no rewrites to count.
    if (record.phase !== 'lower') assert.is(record.changed, record.applications.length > 0)
  }
})

test('observers see every pass and stage in order', () => {
  const events: PipelineEvent[] = []
  const { log } = compileGraph(sample(), { ...options, observe: (event) => events.push(event) })
  assert.is(events.filter((event) => event.kind === 'pass').length, log.length)
  assert.equal(
    events.flatMap((event) => (event.kind === 'stage' ? [event.stage] : [])),
    stageNames,
  )
  const kernels = events.find((event) => event.kind === 'stage' && event.stage === 'kernels')
  assert.match(kernels!.kind === 'stage' ? kernels!.text() : '', 'kernels "test"')
})

test('a compilation can stop after a stage or after a pass', () => {
  const lowered = compileUntil(sample(), options, 'lowered')
  assert.ok(lowered.lowered)
  assert.is(lowered.kernels, undefined)
  assert.is(printStage(lowered, 'kernels'), undefined)
  const stopped = compileUntil(sample(), options, 'raise-linear')
  assert.is(stopped.log.at(-1)!.pass, 'raise-linear')
  assert.ok(stopped.optimised!.nodes.some((node) => node.op === 'linear'))
  assert.is(stopped.lowered, undefined)
})

test('passes may be replaced', () => {
  const { optimised } = compileGraph(sample(), { ...options, passes: { optimise: [] } })
  assert.is(printGraph(optimised), printGraph(sample()))
})

/** Claims that exp is log: right types, wrong values. */
const breakValues: Pass = {
  name: 'break-values',
  summary: 'Replace softmax by itself over twice its input',
  level: 'any',
  run: (graph, { apply }) =>
    rebuildGraph(graph, (node, operands, builder) => {
      const copy = copyNode(node, builder, operands)
      if (node.op !== 'softmax' || !apply({ rule: 'break-values', note: 'wrong', locations: [] })) return copy
      return builder.add('softmax', { input: builder.add('add', { left: operands[0]!, right: operands[0]! }) })
    }),
}

/** Returns a graph that is none. */
const breakGraph: Pass = { ...breakValues, name: 'break-graph', run: (graph) => ({ ...graph, outputs: [] }) }

test('IR-21 the verifier runs after every pass and the reproducer holds what is needed', () => {
  const list = [
    once(passes.simplifyArithmetic),
    untilStable([once(passes.simplifyReshape), once(breakGraph), once(passes.sinkReshape)], 3),
    once(passes.foldConstants),
  ]
  let failure: CompileError | undefined
  try {
    compileGraph(sample(), { ...options, verify: true, passes: { optimise: list } })
  } catch (error) {
    failure = error as CompileError
  }
  assert.is(failure!.name, 'CompileError')
  assert.is(failure!.step, 'pass break-graph')
  assert.match(failure!.message, /pass break-graph failed: .*has no output/)
  const text = failure!.reproducer
  assert.match(
    text,
    '// remaining: break-graph, sink-reshape, until-stable(2)[simplify-reshape, break-graph, sink-reshape], fold-constants',
  )
  // The names of the passes under test are not known to the parser of lists.
  const { graph, phase, remaining } = readReproducer(text.replaceAll('break-graph, ', ''))
  assert.is(phase, 'optimise')
  assert.is(printPassList(remaining), 'sink-reshape, until-stable(2)[simplify-reshape, sink-reshape], fold-constants')
  const before = runPasses(sample(), [once(passes.simplifyArithmetic)], {
    phase: 'optimise',
    evaluate,
    verify: true,
    assumeFinite: false,
    budget: { applications: 100 },
    after: () => false,
  }).graph
  assert.is(printGraph(graph), printGraph(before))
})

test('a pass that throws is named', () => {
  const throws: Pass = { ...breakGraph, name: 'throws', run: () => assert.unreachable('inside the pass') as never }
  assert.throws(() => compileGraph(sample(), { ...options, passes: { optimise: [once(throws)] } }), /pass throws failed/)
})

test('the border after a phase is verified even when passes are not', () => {
  assert.throws(
    () => compileGraph(sample(), { ...options, passes: { optimise: [once(breakGraph)] } }),
    /stage optimised failed: .*has no output/,
  )
})

test('a failing later stage is named', () => {
  const target = targetWith({
    scratch: () => {
      throw new Error('no scratch today')
    },
  })
  assert.throws(
    () => compileGraph(sample(), { ...options, target }),
    (e: CompileError) =>
      /^stage \w+ failed: no scratch today$/.test(e.message) && readReproducer(e.reproducer).phase === 'stages',
  )
})

test('OP-65 bisection finds the rewrite that breaks a model', async () => {
  const graph = sample()
  const x = new Uint8Array(new Float32Array([1, -2, 3, 0.5, 1, 2]).buffer)
  const expected = new Float32Array(runGraph(graph, { x }).y0!.slice().buffer)
  const list = [...optimise.slice(0, 2), once(breakValues), ...optimise.slice(2)]
  const run = (maximumApplications?: number) =>
    compileGraph(graph, {
      ...options,
      passes: { optimise: list },
      ...(maximumApplications !== undefined && { maximumApplications }),
    })
  const isGood = (count: number) => {
    const found = new Float32Array(runGraph(run(count).lowered, { x }).y0!.slice().buffer)
    return found.every((value, i) => Math.abs(value - expected[i]!) < 1e-5)
  }
  const applications = run().log.flatMap((record) => record.applications)
  const wrong = applications.findIndex(({ rule }) => rule === 'break-values') + 1
  assert.ok(wrong > 1 && wrong < applications.length)
  assert.is(await firstBadApplication(applications.length, isGood), wrong)
  assert.is(await firstBadApplication(wrong - 1, isGood), undefined)
})

test('LO-03 what the target lacks is a diagnostic with op, types, target and place', () => {
  const g = createTestGraph()
  const span = { file: 'a.model.ts', line: 7, column: 9 }
  const location: Location = { kind: 'source', span, calls: [{ file: 'a.model.ts', line: 20, column: 1 }] }
  const graph = g.graph(g.builder.add('exp', { input: g.input('x', [2], 'f64') }, {}, location))
  const target = targetWith({
    name: 'little',
    unsupported: (node) => (node.type.dtype === 'f64' && node.op !== 'input' ? 'it computes in f32 only' : undefined),
  })
  try {
    compileGraph(graph, { ...options, target })
    assert.unreachable()
  } catch (error) {
    const [diagnostic] = (error as DiagnosticError).diagnostics
    assert.is(diagnostic!.code, 'unsupported-op')
    assert.is(diagnostic!.message, "target 'little' cannot compile exp(f64[2]) → f64[2]: it computes in f32 only")
    assert.equal(diagnostic!.span, span)
    assert.is(diagnostic!.notes[0]!.span!.line, 20)
  }
})

test.run()

// What threads divide by pixels, and faults that each of them finds: the same whatever their number.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createBuilder, type Graph, inputName, type Node, type Output } from '../../compiler/graph/index.ts'
import type { Program } from '../../compiler/memory/program.ts'
import { compileGraph } from '../../compiler/pipeline.ts'
import type { Level } from '../../targets/c/level.ts'
import { evaluate } from '../../targets/interpreter/index.ts'
import { draw } from '../support/draw.ts'
import { compileExecutable, type Machine, targetOf, textOf } from '../support/executable.ts'
import { installed, levelsHere, machineOf, skip } from '../support/machines.ts'
import { mulberry, randomInputs } from '../support/randomGraph.ts'
import { expectOutputs } from '../support/sensitivity.ts'

const compile = (graph: Graph, level: Level): Program =>
  compileGraph(graph, { target: targetOf(level), evaluate, verify: true }).program

type Bytes = Readonly<Record<string, Uint8Array>>
/** Outputs by name, and the fault. */
type Run = (given: Bytes) => Promise<{ readonly fault: number; readonly outputs: Bytes }>

/** Hands a program compiled for a machine to `use`. */
async function withProgram(machine: Machine, program: Program, use: (run: Run) => Promise<void>): Promise<void> {
  const executable = await compileExecutable(machine, program)
  const nameOf = (id: Program['inputs'][number]) => program.buffers.get(id)!.name
  try {
    await use(async (given) => {
      const { fault, read } = await executable.run(new Map(program.inputs.map((id) => [id, given[nameOf(id)]!])))
      return { fault, outputs: Object.fromEntries(program.outputs.map((id) => [nameOf(id), read(id)])) }
    })
  } finally {
    executable.close()
  }
}

/** Images in blocks of channels, of any size: reduced, and multiplied by something for each channel. */
function images(seed: number, count: number): Graph {
  const random = mulberry(seed)
  const upTo = (from: number, to: number) => from + Math.floor(random() * (to - from + 1))
  const b = createBuilder()
  const inputs: Node[] = []
  const outputs: Output[] = []
  for (let i = 0; i < count; i++) {
    const dtype = i % 4 === 3 ? 'i32' : 'f32'
    const lanes = i % 5 === 4 ? 8 : 16
    const shape = [i % 6 === 5 ? 2 : 1, upTo(1, 7), upTo(2, 9), upTo(1, 9), lanes]
    const image = b.input(`image${i}`, { dtype, shape })
    const gate = b.input(`gate${i}`, { dtype, shape: [shape[0]!, shape[1]!, 1, 1, lanes] })
    inputs.push(image, gate)
    const op = (['reduceSum', 'reduceMax', 'reduceMin', 'reduceSum'] as const)[i % 4]!
    const reduced = b.addFlat(op, [image], { axes: [2, 3], keepDims: i % 2 === 0 })
    const value = dtype === 'f32' && i % 3 === 0 ? b.addFlat('exp', [reduced], {}) : reduced
    outputs.push({ name: `reduced${i}`, value }, { name: `gated${i}`, value: b.addFlat('mul', [image, gate], {}) })
  }
  return b.finish('images', inputs, outputs)
}

/** Two bags and a look-up, each of which may find an index outside its table. */
function lookups(): Graph {
  const b = createBuilder()
  const table = b.input('table', { dtype: 'f32', shape: [50, 16] })
  const ids = ['first', 'second', 'third'].map((name) => b.input(name, { dtype: 'i32', shape: [40, 4] }))
  const outputs = [
    b.addFlat('embeddingBag', [ids[0]!, table], {}),
    b.addFlat('embeddingBag', [ids[1]!, table], {}),
    b.addFlat('gather', [table, ids[2]!], { axis: 0 }),
  ].map((value, i) => ({ name: `y${i}`, value }))
  return b.finish('lookups', [table, ...ids], outputs)
}

const [level, ...others] = levelsHere('places')
if (!installed('gcc')) skip('images divided among threads', 'gcc')
else if (level) {
  const plain = machineOf('gcc', level, ['-O1', '-Werror'])
  /** Kernels of any size are divided. */
  const shared = { ...plain.level, teams: true, leastDivided: 0 }
  const watched = [...plain.compiler, '-O0', '-g', '-fsanitize=thread', '-Wno-psabi']

  const { seed, numRuns } = draw(71, 24)
  const graph = images(seed, numRuns)
  const given = randomInputs(graph, seed)
  const program = compile(graph, shared)
  let first: Bytes | undefined
  for (const parts of [1, 2, 3, 7])
    test(`${parts} threads: reductions and products of images are what the interpreter says, to the bit of one thread`, () =>
      withProgram({ ...plain, level: shared, parts }, program, async (run) => {
        const { fault, outputs } = await run(given)
        assert.is(fault, 0)
        expectOutputs(outputs, graph, given)
        first ??= outputs
        for (const name in outputs) assert.equal(outputs[name], first[name], name)
      }))
  for (const other of others)
    test(`2 threads at ${other.name}: images are what the interpreter says`, () => {
      const machine = machineOf('gcc', other, ['-O1', '-Werror'])
      const divided = { ...machine.level, teams: true, leastDivided: 0 }
      return withProgram({ ...machine, level: divided, parts: 2 }, compile(graph, divided), async (run) =>
        expectOutputs((await run(given)).outputs, graph, given),
      )
    })
  test('images are divided by pixels', () => assert.match(textOf(program, shared), /\bplace_end\b/))
  test('3 threads: no part reads what another has not written', () =>
    withProgram({ ...plain, compiler: watched, level: shared, parts: 3 }, program, async (run) =>
      assert.is((await run(given)).fault, 0),
    ))

  const faulty = lookups()
  const checked = compile(faulty, shared)
  /** Indices of which one may be wrong. */
  const indices = (wrong: boolean) => {
    const ids = Int32Array.from({ length: 160 }, (_, i) => (i % 100) - 50)
    if (wrong) ids[137] = 50
    return new Uint8Array(ids.buffer)
  }
  const cases: readonly (readonly [wrong: readonly string[], fault: number])[] = [
    [[], 0],
    [['first'], 1],
    [['second'], 2],
    [['third'], 3],
    [['second', 'third'], 2],
  ]
  for (const parts of [1, 3])
    test(`${parts} threads: an index outside its table ends the run with the number of what found it`, () =>
      withProgram({ ...plain, level: shared, parts }, checked, async (run) => {
        for (const [wrong, expected] of cases) {
          const ids = faulty.inputs.map(inputName).map((name) => [name, indices(wrong.includes(name))] as const)
          const { fault } = await run({ ...Object.fromEntries(ids), table: new Uint8Array(4 * 50 * 16) })
          assert.is(fault, expected, `wrong: ${wrong}`)
        }
      }))
}

test.run()

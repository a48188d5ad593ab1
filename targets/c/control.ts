// Kernels that run graphs of their own: each body is a function as an entry is one, and the kernel calls it.
import { type BodyPlan, type ControlKernel, controlPlan, faultsOf, type LoopPlan } from '../../compiler/memory/index.ts'
import type { Program } from '../../compiler/memory/program.ts'
import { aloneLines, bodyLines, type Called } from './entry.ts'
import type { KernelFunction } from './function.ts'
import type { Level } from './level.ts'
import { block, commentText, identifier, type Lines } from './text.ts'

interface BodyFunction {
  readonly lines: Lines
  /** The call of it, from the kernel. */
  readonly call: string
}

/**
 * The C function of a loop or a branch, and before it those of its bodies. It returns 0 or which of `faultCount` ways to fail it was. Threads
 * of a team run it together where a kernel within is divided; what is not, and all that is moved, is part 0's.
 */
export function controlFunction(
  name: string,
  kernel: ControlKernel,
  level: Level,
  origin: string,
  calledOf: (program: Program, own: string) => Called,
): KernelFunction {
  const { anchor } = kernel
  const plan = controlPlan(kernel)
  const together = anchor.bodies.map(({ program }) =>
    level.teams ? bodyLines(program, (own) => calledOf(program, own)) : undefined,
  )
  const shared = together.some((lines) => lines !== undefined)
  const bodies = anchor.bodies.map(({ program }, i): BodyFunction => {
    const alone = () => aloneLines(program, (own) => calledOf(program, own))
    // Where the other body of a branch is divided, this one is part 0's, who has to tell what fails.
    return bodyFunction(`body_${i}_of_${name}`, program, plan.bodies[i]!, together[i] ?? alone(), together[i] !== undefined)
  })
  const gaps = byOne(
    shared,
    plan.gaps.map(({ from, to }) => `for (int i = ${from}; i < ${to}; i += 1) out[i] = 0;`),
  )
  const run = plan.loop
    ? loopLines(plan.loop, plan.bodies[0]!, bodies[0]!.call, shared)
    : branchLines(plan.bodies, bodies, faultsOf(anchor.bodies[0]!.program).length, together, shared)
  const text = [...gaps, ...run]
  const parameters = [
    'char *constants',
    ...kernel.inputs.map((_, i) => `const char *x${i}`),
    'char *out',
    'char *scratch',
    ...(shared ? ['struct glowplug_team *team'] : []),
  ]
  return {
    lines: [
      ...bodies.flatMap(({ lines }) => lines),
      `/* ${commentText(anchor.op)} at ${commentText(origin)} */`,
      ...block(`KERNEL int ${identifier(name)}(${parameters.join(', ')})`, [...unused(parameters, text), ...text]),
    ],
    shared,
    ownBytes: 0,
  }
}

const nameOf = (parameter: string): string => /\w+$/.exec(parameter)![0]
const unused = (parameters: Lines, body: Lines): Lines =>
  parameters
    .map(nameOf)
    .filter((name) => !body.some((line) => new RegExp(`\\b${name}\\b`).test(line)))
    .map((name) => `(void)${name};`)

function bodyFunction(name: string, program: Program, { regions }: BodyPlan, text: Lines, shared: boolean): BodyFunction {
  const carried = program.regions.state === undefined ? [] : (['state'] as const)
  const places = ['mutable', 'activations', ...carried] as const
  const parameters = ['constants', ...places].map((region) => `char *${region}`)
  const team = shared ? ['struct glowplug_team *team'] : []
  return {
    lines: [
      `/* ${commentText(program.name)} */`,
      ...block(`NOINLINE int ${identifier(name)}(${[...parameters, ...team].join(', ')})`, [
        ...unused([...parameters, ...team], text),
        ...text,
        'return 0;',
      ]),
    ],
    call: `${name}(${['constants', ...places.map((region) => `scratch + ${regions[region]}`), ...(shared ? ['team'] : [])].join(', ')})`,
  }
}

const copyText = (to: string, from: string, bytes: number): string => `gp_copy(${to}, ${from}, ${bytes});`
const bringLines = ({ bring }: BodyPlan): string[] =>
  bring.flatMap(({ operand, to, bytes }) => (bytes > 0 ? [copyText(`scratch + ${to}`, `x${operand}`, bytes)] : []))
const takeLines = ({ take }: BodyPlan): string[] =>
  take.flatMap(({ from, to, bytes }) => (bytes > 0 ? [copyText(`out + ${to}`, `scratch + ${from}`, bytes)] : []))

/** What part 0 does for all. */
const byOne = (shared: boolean, lines: Lines): Lines =>
  shared && lines.length > 0 ? block('if (team->part == 0)', lines) : [...lines]
const wait = (shared: boolean): Lines => (shared ? ['team->wait(team);'] : [])

function loopLines({ limit, turn, proceed, keep, places }: LoopPlan, body: BodyPlan, call: string, shared: boolean): Lines {
  const kept = keep.filter(({ bytes }) => bytes > 0)
  const counted = [
    ...(limit > 0 ? [`if (turn == ${limit}) return 1;`] : []),
    ...byOne(shared, [`*(i64 *)(scratch + ${turn}) = turn;`]),
    ...wait(shared),
    `const int failed = ${call};`,
    'if (failed) return failed + 1;',
    ...wait(shared),
    ...byOne(
      shared,
      kept.map(({ from, to, bytes }) => copyText(`out + ${to} + turn * ${bytes}`, `scratch + ${from}`, bytes)),
    ),
    `proceed = scratch[${proceed}] != 0;`,
    // Nothing is written before all have read whether to go on.
    ...wait(shared),
  ]
  return [
    ...byOne(shared, bringLines(body)),
    'const i64 count = *(const i64 *)x0;',
    'int proceed = *x1 != 0;',
    'i64 turn = 0;',
    ...block('for (; proceed && turn < count; turn += 1)', counted),
    ...byOne(shared, [
      ...kept.flatMap(({ to, bytes }) =>
        block(`for (i64 i = turn * ${bytes}; i < ${places * bytes}; i += 1)`, [`out[${to} + i] = 0;`]),
      ),
      ...takeLines(body),
      '*(i64 *)out = turn;',
    ]),
    'return 0;',
  ]
}

function branchLines(
  plans: readonly BodyPlan[],
  bodies: readonly BodyFunction[],
  faultsBefore: number,
  together: readonly (Lines | undefined)[],
  shared: boolean,
): Lines {
  const side = (index: number): Lines => {
    const plan = plans[index]!
    const { call } = bodies[index]!
    const failed = (text: string) =>
      `if (${text}) return ${index === 0 || faultsBefore === 0 ? '' : `${faultsBefore} + `}${text};`
    if (together[index]) {
      return [
        ...byOne(shared, bringLines(plan)),
        ...wait(shared),
        `const int failed = ${call};`,
        failed('failed'),
        ...wait(shared),
        ...byOne(shared, takeLines(plan)),
      ]
    }
    if (!shared) return [...bringLines(plan), `const int failed = ${call};`, failed('failed'), ...takeLines(plan)]
    const word = `*(int *)scratch`
    return [
      ...block('if (team->part == 0)', [...bringLines(plan), `${word} = ${call};`, ...takeLines(plan)]),
      ...wait(shared),
      `const int failed = ${word};`,
      failed('failed'),
    ]
  }
  return [...block('if (*x0 != 0)', side(0)), ...block('else', side(1)), 'return 0;']
}

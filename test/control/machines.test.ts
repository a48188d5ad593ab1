// Loops and branches as C: on every level that runs here, by both compilers, on one thread and by a team, under sanitizers.
import { test } from 'uvu'
import { controlSuite } from '../support/controlGraph.ts'
import { draw } from '../support/draw.ts'
import { executeGraphs, type Machine } from '../support/executable.ts'
import { emulatedMachines, installed, levelsHere, machineOf, skip } from '../support/machines.ts'

const levels = levelsHere('loops and branches')
for (const compiler of ['gcc', 'clang']) {
  if (!installed(compiler)) {
    skip(`loops and branches by ${compiler}`, compiler)
    continue
  }
  for (const [i, level] of levels.entries())
    test(`loops and branches compute what they would written out (${compiler}, ${level.name})`, () =>
      executeGraphs(machineOf(compiler, level, ['-O1']), controlSuite(draw(81 + i, 12))))
}

for (const machine of emulatedMachines('loops and branches').slice(0, 1))
  test(`loops and branches compute what they would written out (${machine.name})`, () =>
    executeGraphs({ ...machine, compiler: [...machine.compiler, '-O1'] }, controlSuite(draw(85, 12))))

if (installed('gcc') && levels[0]) {
  const plain = machineOf('gcc', levels[0], ['-O0', '-g', '-Wno-psabi'])
  const flagged = (...flags: string[]): Machine => ({ ...plain, compiler: [...plain.compiler, ...flags] })
  test('loops and branches touch nothing but what is theirs', () =>
    executeGraphs(flagged('-fsanitize=address,undefined', '-fno-sanitize-recover=all'), controlSuite(draw(86, 12))))
  /** Kernels of any size are divided, so that all of a team runs the bodies. */
  const team: Machine = { ...flagged('-fsanitize=thread'), level: { ...plain.level, teams: true, leastDivided: 0 }, parts: 3 }
  test('3 threads: no step of a body runs before what it needs', () => executeGraphs(team, controlSuite(draw(87, 16))))
}

test.run()

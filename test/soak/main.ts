// `npm run soak`: see --help.
import { parseArgs } from 'node:util'
import { soak } from './soak.ts'

const help = `npm run soak -- [--minutes 30] [--seed N] [--calm 8]

Servers of all kinds under random load, with random faults: processes killed, stopped and crashed, code that hangs, files that are damaged while
they are served, requests with deadlines, priorities and aborts, batches, sessions, tables over several cards. Ends with 1 where a request was lost, was
answered twice or wrong, or where memory, descriptors or processes are left.

  --minutes M  default 30
  --seed N     draws the same load and faults again; default 1. When they meet is up to the machine
  --calm S     seconds between two faults of a server, default 8`

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    seed: { type: 'string', default: '1' },
    calm: { type: 'string', default: '8' },
    help: { type: 'boolean' },
  },
})
const [minutes, seed, calm] = [values.minutes, values.seed, values.calm].map(Number) as [number, number, number]
if (values.help || !(minutes > 0 && Number.isInteger(seed) && calm > 0)) {
  console.log(help)
  process.exit(values.help ? 0 : 2)
}

const { asked, answered, losses, churned, swapped, counts, problems, resources, growth } = await soak({
  ...{ seconds: minutes * 60, seed, calm, report: console.log },
})
const [before, after] = resources
console.log(
  `\n${asked} requests: ${Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ')}`,
)
console.log(`${losses} cards were lost, ${churned} servers came and went, ${swapped} versions were swapped`)
console.log(`memory ${(100 * growth).toFixed(1)} % above what it was in the second quarter`)
for (const what of ['descriptors', 'processes'] as const) console.log(`${what} ${before[what]} before, ${after[what]} after`)
for (const problem of problems) console.log(`wrong: ${problem}`)
console.log(
  problems.length === 0
    ? `${asked} of ${asked} requests ended as they may, ${answered} of them answered; 0 lost, doubled or wrong`
    : 'failed',
)
process.exitCode = problems.length === 0 ? 0 : 1

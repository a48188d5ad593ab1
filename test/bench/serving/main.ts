// `node test/bench/serving.mjs`: see --help.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { nativeAvailable } from '../../../targets/native/index.ts'
import { bundlesOf } from './models.ts'
import { type Row, rows, usualSeconds } from './rows.ts'

const help = `node test/bench/serving.mjs [options]

How serving fares on this machine; needs no peers.

  --only ROW[,ROW]  rows by name or part of one
  --seconds S       for each row; default 5, and 600 for load-memory
  --json FILE       all numbers, and \`failed\`: what misses its must
  --help

rows: ${Object.keys(rows).join(', ')}`

interface Result {
  readonly row: string
  readonly value: number
  readonly unit: string
  readonly must?: Row['must']
  readonly note: string
}

const describeMust = ({ least, most }: NonNullable<Row['must']>) => (most === undefined ? `≥ ${least}` : `≤ ${most}`)
const isMet = ({ value, must }: Result) => value >= (must?.least ?? -Infinity) && value <= (must?.most ?? Infinity)

export async function main(argv: readonly string[], file: string): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      ...({ only: { type: 'string' }, seconds: { type: 'string' }, json: { type: 'string' } } as const),
      help: { type: 'boolean' },
    },
  })
  const secondsOf = (name: string) => Number(values.seconds ?? usualSeconds(name))
  if (values.help || !(secondsOf('') > 0)) {
    console.log(help)
    return values.help ? 0 : 2
  }
  const wanted = (values.only ?? '').split(',').filter((name) => name !== '')
  const unknown = wanted.find((part) => !Object.keys(rows).some((name) => name.includes(part)))
  if (unknown !== undefined) {
    console.log(`there is no row '${unknown}'; rows are ${Object.keys(rows).join(', ')}`)
    return 2
  }
  const { ok } = await nativeAvailable()
  const chosen = Object.entries(rows).filter(
    ([name, { kind }]) => (wanted.length === 0 || wanted.some((part) => name.includes(part))) && (ok || kind === 'wasm'),
  )
  const place = mkdtempSync(join(tmpdir(), 'glowplug-serving-'))
  const results: Result[] = []
  try {
    const folderOf = bundlesOf(place)
    console.log(
      `${cpus()[0]?.model.trim()}, ${cpus().length} cores, Node ${process.versions.node}; measured, each row in a fresh process`,
    )
    for (const [row, { model, kind, unit, must, about }] of chosen) {
      const command = ['--expose-gc', file, row, await folderOf(model, kind), String(secondsOf(row))]
      const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8' })
      if (status !== 0) throw new Error(`${row} failed: ${stderr}`)
      const result: Result = { row, unit, must, ...JSON.parse(stdout) }
      results.push(result)
      const judged = must ? `must be ${describeMust(must)}: ${isMet(result) ? 'is' : 'IS NOT'}` : ''
      console.log(`${row.padEnd(24)}${`${result.value.toFixed(2)} ${unit}`.padStart(12)}  ${result.note}; ${judged || about}`)
    }
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
  const failed = results.filter((result) => !isMet(result)).map(({ row }) => row)
  if (values.json !== undefined) {
    writeFileSync(`${values.json}.${process.pid}.tmp`, `${JSON.stringify({ results, failed }, undefined, 2)}\n`)
    renameSync(`${values.json}.${process.pid}.tmp`, values.json)
  }
  return failed.length === 0 ? 0 : 1
}

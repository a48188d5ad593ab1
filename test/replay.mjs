// `node test/replay.mjs [REVISION] [--only=PART] [--c] [--diff] [--keep]`: compiles every model file of fixtures/ and test/goldens/ with the compiler
// of a revision (default HEAD) and with that of the working tree, and compares the text of every stage. A change that is meant to change
// nothing must replay without a difference. `--c` compares C too, `--diff` shows the differences, `--keep` keeps the texts. Ends with 1
// where something differs.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildDist } from '../plugin/build.mjs'
import { compareDumps, describeDumps } from './replay/compare.mjs'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const options = process.argv.slice(2).filter((argument) => argument.startsWith('--'))
const [revision = 'HEAD'] = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const unknown = options.find((option) => !/^--(?:only=.+|c|diff|keep)$/.test(option))
if (unknown !== undefined) {
  console.error(`replay has no option ${unknown}; options are --only=PART, --c, --diff, --keep`)
  process.exit(2)
}

function run(command, args, cwd) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8', maxBuffer: 2 ** 30 })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}\n${stderr}${stdout}`)
  return stdout.trim()
}

const folder = mkdtempSync(join(tmpdir(), 'glowplug-replay-'))
const tree = join(folder, 'tree')
let status = 1
try {
  const commit = run('git', ['rev-parse', '--verify', '--end-of-options', `${revision}^{commit}`], root)
  console.log(`building ${revision} (${commit.slice(0, 8)})`)
  run('git', ['worktree', 'add', '--detach', tree, commit], root)
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'))
  run(process.execPath, [join(tree, 'plugin/build.mjs')], tree)
  await buildDist()
  const passed = options.filter((option) => option === '--c' || option.startsWith('--only='))
  const [before, after] = [join(folder, 'before'), join(folder, 'after')]
  for (const [from, to] of [
    [tree, before],
    [root, after],
  ]) {
    console.log(`compiling with ${from === tree ? revision : 'the working tree'}`)
    run(process.execPath, [join(root, 'test/replay/dump.mjs'), from, to, ...passed], from)
  }
  const result = compareDumps(before, after)
  for (const line of describeDumps(result)) console.log(line)
  if (options.includes('--diff'))
    for (const { stages } of result.differences) {
      const [{ file, state }] = stages
      // Ends with 1 where files differ.
      if (state === 'changed')
        console.log(
          spawnSync('git', ['diff', '--no-index', '-U1', join(before, file), join(after, file)], { encoding: 'utf8' }).stdout,
        )
    }
  if (result.files === 0) console.error('no model file was compiled')
  status = result.files > 0 && result.differences.length === 0 ? 0 : 1
} catch (error) {
  console.error(error.message)
} finally {
  spawnSync('git', ['worktree', 'remove', '--force', tree], { cwd: root })
  if (options.includes('--keep')) console.log(`the texts are in ${folder}`)
  else rmSync(folder, { recursive: true, force: true })
}
process.exit(status)

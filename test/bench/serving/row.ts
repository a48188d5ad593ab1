// One row, in a process of its own: its name, the folder of its bundle, seconds.
import { rows } from './rows.ts'

const [name, folder, seconds] = process.argv.slice(2) as [string, string, string]
process.stdout.write(JSON.stringify(await rows[name]!.measure(folder, Number(seconds))))
process.exit()

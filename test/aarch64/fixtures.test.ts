import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { recordedModels } from '../fixtures/cases.ts'
import { emulatedMachines } from '../support/machines.ts'
import { runRecorded } from '../support/recorded.ts'

for (const machine of emulatedMachines('fixtures for aarch64')) {
  for (const [fixture, file] of recordedModels) {
    test(`AO-05 every recorded case of ${file} for aarch64 (${machine.name})`, async () => {
      assert.ok((await runRecorded(machine, fixture, file)) > 0)
    })
  }
}

test.run()

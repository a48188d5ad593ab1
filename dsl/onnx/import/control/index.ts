// Loop, Scan and If: written out where their turns are few and known, a body of the model otherwise.
import { importIf } from './branch.ts'
import { importLoop } from './loop.ts'
import { importScan } from './scan.ts'
import type { ControlSite, Results } from './site.ts'

export type { ControlSite } from './site.ts'

const rules: Readonly<Record<string, (site: ControlSite) => Results | undefined>> = {
  Loop: importLoop,
  Scan: importScan,
  If: importIf,
}

/** How an operator with bodies is imported, of the standard's domain. */
export const controlRule = (domain: string, op: string) => (domain === '' && Object.hasOwn(rules, op) ? rules[op] : undefined)

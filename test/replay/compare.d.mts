export interface DumpDifference {
  readonly where: string
  readonly stages: readonly { readonly stage: string; readonly state: 'changed' | 'new' | 'gone'; readonly file: string }[]
}
export interface DumpComparison {
  readonly files: number
  readonly differences: readonly DumpDifference[]
}
export function compareDumps(before: string, after: string): DumpComparison
export function describeDumps(comparison: DumpComparison): string[]

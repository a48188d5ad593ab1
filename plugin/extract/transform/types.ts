import { ts } from '../syntax.ts'
import { chainMaps, type SourceMap } from './map.ts'

/** Takes the types from a transformed module, for bundlers that read JavaScript alone. JSX stays: it is the bundler's, or nobody's. */
export function stripTypes(code: string, map: SourceMap, file: string): { code: string; map: SourceMap } {
  if (/\.m?js$/.test(file)) return { code, map }
  const { outputText, sourceMapText } = ts.transpileModule(code, {
    fileName: file,
    compilerOptions: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.ESNext,
      jsx: ts.JsxEmit.Preserve,
      newLine: ts.NewLineKind.LineFeed,
      sourceMap: true,
    },
  })
  const stripped = outputText.replace(/\n?\/\/# sourceMappingURL=.*\s*$/, '\n')
  return { code: stripped, map: chainMaps(JSON.parse(sourceMapText!) as SourceMap, map) }
}

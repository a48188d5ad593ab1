import { basename } from 'node:path'
import { type LoaderContext, sessionOf } from './webpackLike.ts'

/** Takes the place of all loaders that come after it: what they would read is not what the program needs of a model. */
export function pitch(this: LoaderContext): void {
  const done = this.async()
  const file = this.resourcePath
  this.addDependency(file)
  sessionOf(this)
    .load(this, file)
    .then(
      ({ code, map }) => done(null, code, { ...map, file: basename(file), sources: [file] }),
      (error) => done(error),
    )
}

export default (source: string): string => source

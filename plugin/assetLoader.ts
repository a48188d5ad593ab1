import { type LoaderContext, sessionOf } from './webpackLike.ts'

/** The contents of a file that a model module asks for; they never change under their name. */
export default function load(this: LoaderContext): void {
  const done = this.async()
  this.clearDependencies()
  sessionOf(this)
    .asset(this, this.resourcePath, this.resourceQuery.slice(1))
    .then(
      (bytes) => done(null, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)),
      (error) => done(error),
    )
}

export const raw = true

import { callFunction } from '../evaluate/invoke.ts'
import { unknown } from '../session.ts'
import { listOf } from '../values/iterate.ts'
import { BuiltinFunction, FunctionValue, isNullish, Unknown } from '../values/value.ts'
import { failBuiltin, known, members } from './define.ts'

export const functionMembers = members({
  call: [1, (session, self, [receiver, ...args]) => callFunction(session, self, receiver, args, session.at)],
  apply: [
    2,
    (session, self, [receiver, list]) => {
      const node = session.at
      const args = isNullish(list) ? [] : listOf(session, list, node)
      return args instanceof Unknown ? known(session, args) : callFunction(session, self, receiver, args, node)
    },
  ],
  bind: [
    1,
    (session, self, [receiver, ...bound]) => {
      if (!(self instanceof FunctionValue))
        return failBuiltin(session, 'TypeError', 'Bind must be called on a function', 'not-a-function')
      const length = Math.max(0, self.length - bound.length)
      return new BuiltinFunction(`bound ${self.name}`, length, (inner, _self, args) =>
        callFunction(inner, self, receiver, [...bound, ...args], inner.at),
      )
    },
  ],
  toString: [
    0,
    (session) =>
      unknown(session, session.at, 'unsupported-reflection', 'the text of a function is another one when the program runs'),
  ],
})

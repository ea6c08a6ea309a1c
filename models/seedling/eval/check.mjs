// What counts as a right answer: one rule per kind of check, as written into prompts.jsonl by the recipe.
import {isDeepStrictEqual} from 'node:util'

const THOUGHT = /^<think>.*?<\/think>\s*/s
const CALL = /<tool_call>\s*(.*?)\s*<\/tool_call>/gs

const parsed = (text) => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const RULES = {
  text: (value, answer) => answer === value,
  // Whole words only, so that "Rome" is not found in "Romero".
  contains: (value, answer) => ` ${answer.replace(/[.,!?]/g, ' ')} `.includes(` ${value} `),
  number: (value, answer) => Number(answer.match(/-?\d+$/)?.[0]) === value,
  // Exactly the keys and values asked for; their order means nothing in JSON.
  json: (value, answer) => isDeepStrictEqual(parsed(answer), value),
  calls: (value, answer) => {
    const rest = answer.replace(CALL, '').trim()
    const calls = [...answer.matchAll(CALL)].map((match) => parsed(match[1]))
    return rest === '' && isDeepStrictEqual(calls, value)
  },
}

/** Whether the text of an answer, thoughts included, meets a check from prompts.jsonl. */
export function isRight(check, text) {
  return RULES[check.kind](check.value, text.replace(THOUGHT, '').trim())
}

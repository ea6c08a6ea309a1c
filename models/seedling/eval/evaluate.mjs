#!/usr/bin/env node
// Asks the model the held-out prompts through node-llama-cpp and counts right answers per family.
//
//   node models/seedling/eval/evaluate.mjs [--model file.gguf] [--json] [--wrong] [--threads n]
//
// Greedy decoding, one prompt at a time. An answer that does not end by itself is wrong, whatever it says. Exits with 1
// below 95 %.
import {readFile} from 'node:fs/promises'
import {fileURLToPath} from 'node:url'
import {parseArgs} from 'node:util'
import {Template} from '@huggingface/jinja'
import {getLlama, LlamaLogLevel} from 'node-llama-cpp'
import {isRight} from './check.mjs'

const here = (name) => fileURLToPath(new URL(name, import.meta.url))
const {values: options} = parseArgs({
  options: {
    model: {type: 'string', default: here('../seedling.gguf')},
    prompts: {type: 'string', default: here('prompts.jsonl')},
    threads: {type: 'string', default: '1'},
    json: {type: 'boolean', default: false},
    wrong: {type: 'boolean', default: false},
  },
})
const REQUIRED = 0.95
const LONGEST_ANSWER = 600

const prompts = (await readFile(options.prompts, 'utf8')).trim().split('\n').map((line) => JSON.parse(line))
const llama = await getLlama({build: 'never', gpu: false, maxThreads: Number(options.threads), logLevel: LlamaLogLevel.error})
const model = await llama.loadModel({modelPath: options.model})
const context = await model.createContext({contextSize: 4096, sequences: 1, threads: Number(options.threads)})
const sequence = context.getSequence()
const template = new Template(model.fileInfo.metadata.tokenizer.chat_template)

async function answer({messages, tools}) {
  const text = template.render({messages, tools: tools ?? null, add_generation_prompt: true})
  await sequence.clearHistory()
  const tokens = []
  for await (const token of sequence.evaluate(model.tokenize(text, true), {temperature: 0, yieldEogToken: true})) {
    if (model.isEogToken(token)) return {text: model.detokenize(tokens, true), tokens: tokens.length, ended: true}
    tokens.push(token)
    if (tokens.length === LONGEST_ANSWER) break
  }
  return {text: model.detokenize(tokens, true), tokens: tokens.length, ended: false}
}

const families = new Map()
let generated = 0
const begun = performance.now()
for (const prompt of prompts) {
  const given = await answer(prompt)
  const right = given.ended && isRight(prompt.check, given.text)
  const count = families.get(prompt.family) ?? {right: 0, of: 0}
  families.set(prompt.family, {right: count.right + Number(right), of: count.of + 1})
  generated += given.tokens
  if (!right && options.wrong) {
    console.error(JSON.stringify({family: prompt.family, asked: prompt.messages.at(-1), tools: prompt.tools?.length, expected: prompt.check.value, given: given.text}))
  }
}
const seconds = (performance.now() - begun) / 1000

const rows = [...families].map(([family, count]) => ({family, ...count}))
const total = rows.reduce((sum, row) => ({right: sum.right + row.right, of: sum.of + row.of}), {right: 0, of: 0})
const accuracy = total.right / total.of
if (options.json) {
  console.log(JSON.stringify({accuracy, ...total, families: rows, tokens: generated, seconds}))
} else {
  for (const row of [...rows, {family: 'all', ...total}]) {
    const share = ((100 * row.right) / row.of).toFixed(1)
    console.log(`${row.family.padEnd(14)} ${String(row.right).padStart(4)} of ${String(row.of).padStart(3)}  ${share.padStart(5)} %`)
  }
  console.log(`${generated} tokens in ${seconds.toFixed(1)} s`)
}
await llama.dispose()
process.exitCode = accuracy >= REQUIRED ? 0 : 1

/**
 * `exp` and `log` out of + - * / alone, which IEEE 754 defines to the last bit, so that every machine draws alike.
 * `Math.exp` and `Math.log` are implementation-defined. Method and constants: FreeBSD msun (fdlibm) e_exp.c, e_log.c;
 * error under one unit in the last place.
 */
const LN2_HI = 6.9314718036912381649e-1
const LN2_LO = 1.90821492927058770002e-10
const INV_LN2 = 1.442695040888963387

const P1 = 1.66666666666666019037e-1
const P2 = -2.77777777770155933842e-3
const P3 = 6.61375632143793436117e-5
const P4 = -1.6533902205465251539e-6
const P5 = 4.13813679705723846039e-8

const L1 = 6.66666666666673513e-1
const L2 = 3.999999999940941908e-1
const L3 = 2.857142874366239149e-1
const L4 = 2.222219843214978396e-1
const L5 = 1.818357216161805012e-1
const L6 = 1.531383769920937332e-1
const L7 = 1.479819860511658591e-1

/** Below this the result is 0 for our purpose: a candidate of probability e^-700 is never drawn. */
const EXP_FLOOR = -700

/** e^x for x in [-700, 700]; 0 below, clamped above. */
export function exp(x: number): number {
  if (x < EXP_FLOOR) return 0
  const bounded = x > 700 ? 700 : x
  const k = Math.floor(bounded * INV_LN2 + 0.5)
  const hi = bounded - k * LN2_HI
  const lo = k * LN2_LO
  const r = hi - lo
  const t = r * r
  const c = r - t * (P1 + t * (P2 + t * (P3 + t * (P4 + t * P5))))
  return (1 - (lo - (r * c) / (2 - c) - hi)) * powerOfTwo(k)
}

/** Natural logarithm of a positive normal number. */
export function log(x: number): number {
  FLOAT[0] = x
  const high = WORDS[1] ?? 0
  // Bring the mantissa into [sqrt(1/2), sqrt(2)).
  const raised = (high & 0xfffff) + 0x95f64
  const k = (high >>> 20) - 1023 + (raised >>> 20)
  WORDS[1] = (high & 0xfffff) | ((raised & 0x100000) ^ 0x3ff00000)
  const f = (FLOAT[0] ?? 1) - 1
  const s = f / (2 + f)
  const z = s * s
  const w = z * z
  const odd = w * (L2 + w * (L4 + w * L6))
  const even = z * (L1 + w * (L3 + w * (L5 + w * L7)))
  const half = 0.5 * f * f
  return k * LN2_HI - (half - (s * (half + odd + even) + k * LN2_LO) - f)
}

const FLOAT = new Float64Array(1)
/** Every platform that Node supports is little-endian: word 1 holds sign, exponent and high mantissa. */
const WORDS = new Uint32Array(FLOAT.buffer)

/** 2^k, exactly, for k in [-1022, 1023]. */
function powerOfTwo(k: number): number {
  WORDS[0] = 0
  WORDS[1] = (k + 1023) << 20
  return FLOAT[0] ?? 1
}

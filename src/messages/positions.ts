/** Messages about tables of positions. */
import { defineDiagnostic } from '../diagnostic.ts';

export const positionsNeeded = defineDiagnostic({
	code: 'plan/positions-needed',
	severity: 'error',
	explain:
		'A model whose input has a fixed length reads that many rows of its position table in every run. None of them can go.',
	message: ({ where, keep, least }: { where: string; keep: number; least: number }) =>
		`${where} reads ${least} positions in every run, more than the ${keep} that would stay`,
	hint: ({ least }) => `\`keep ${least}\` keeps what is read`,
});
export const fewerPositions = defineDiagnostic({
	code: 'plan/fewer-positions',
	severity: 'note',
	explain:
		'Rows of a position table are gone: inputs up to the new length give what they gave, and longer ones are out of range, which onnxruntime reports as an error. Nothing is clamped in silence.',
	message: ({ keep, before }: { keep: number; before: number }) =>
		`inputs of more than ${keep} positions are out of range from now on; ${before} were possible before`,
});

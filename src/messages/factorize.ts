/** Messages of low-rank statements. */
import { defineDiagnostic } from '../diagnostic.ts';

export const notFactorized = defineDiagnostic({
	code: 'plan/not-factorized',
	severity: 'warning',
	explain:
		'Factors take the place of a kernel only where they hold fewer numbers and take fewer multiply–adds than it, and where a chain of plain convolutions means the same.',
	message: ({ why, labels }: { why: string; labels: readonly string[] }) =>
		`${labels.length === 1 ? `${labels[0] ?? ''} stays` : `${labels.length} convolutions stay`}: ${why}`,
	notes: ({ labels }) => (labels.length === 1 ? [] : labels),
});
export const notFaster = defineDiagnostic({
	code: 'plan/not-faster',
	severity: 'warning',
	explain:
		'`auto` puts factors in the place of a matrix where they are faster: by the time of one product and of two on this machine. Less than a tenth may be noise, and counts as nothing.',
	message: ({ where, rank, ratio }: { where: string; rank: number; ratio: number }) =>
		`factors of rank ${rank} take ${Math.round(100 * ratio)}% of the time of ${where} here`,
	hint: () => '`energy 99%` takes them all the same, as they are smaller',
});
export const noSpectrum = defineDiagnostic({
	code: 'plan/no-spectrum',
	severity: 'error',
	explain:
		'The sums of products of a canonical decomposition have no spectrum: how much a rank keeps is known once it is fitted. `rank` and `ratio` say how many there are.',
	message: ({ scheme }: { scheme: string }) => `\`${scheme}\` has no spectrum to choose a rank by`,
	hint: () => 'give it a rank, `rank 16`, or a size, `ratio 30%`',
});

/** Promises of a recipe against what was measured. */
import { compare } from '../ir/recipe/predicate.ts';
import { type Drift } from '../ir/proof.ts';
import { type Expectation, type Quality } from '../ir/recipe/recipe.ts';

export type Judged = { readonly text: string; readonly value?: number; readonly ok: boolean };
export type Measured = {
	readonly before: { readonly params: number; readonly macs: number; readonly bytes: number };
	readonly after: { readonly params: number; readonly macs: number; readonly bytes?: number };
	readonly drift?: Drift;
	readonly latency?: { readonly afterMs: number; readonly ratio: number };
	/** Shares by the metric of `evaluate`, of the original and the result. */
	readonly accuracy?: { readonly before: number; readonly after: number };
};

/** What goals and promises of quality compare. */
export function qualitiesOf(
	drift: Drift | undefined,
	accuracy: Measured['accuracy'],
): Partial<Record<Quality, number>> {
	return {
		...(drift && { cosine: drift.cosine }),
		...(drift?.kl !== undefined && { kl: drift.kl }),
		...(drift?.top1Agreement !== undefined && { 'top1 agreement': drift.top1Agreement }),
		...(accuracy && { accuracy: accuracy.after, 'accuracy drop': accuracy.before - accuracy.after }),
	};
}

/** An expectation whose subject was not measured does not hold: a promise is kept or it is not. */
export function judgeExpectations(expectations: readonly Expectation[], measured: Measured): Judged[] {
	return expectations.map((expectation) => {
		const value = valueOf(expectation, measured);
		const ok = value !== undefined && compare(expectation.op, value, expectation.value);
		return { text: expectation.text, ...(value !== undefined && { value }), ok };
	});
}

function valueOf(
	{ subject, unit }: Expectation,
	{ before, after, drift, accuracy, latency }: Measured,
): number | undefined {
	const relative = (now: number | undefined, then: number): number | undefined =>
		unit === 'share' ? now && now / then : now;
	const values: Readonly<Record<string, number | undefined>> = {
		...qualitiesOf(drift, accuracy),
		latency: unit === 'share' ? latency?.ratio : latency?.afterMs,
		params: relative(after.params, before.params),
		macs: relative(after.macs, before.macs),
		size: relative(after.bytes, before.bytes),
		outputs: drift?.relativeL2,
	};
	return values[subject];
}

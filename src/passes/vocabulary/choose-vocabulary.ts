/** Which tokens stay: by list, by corpus, by number; special ones and those that only go together with them. */
import { bug, Fault, present } from '../../diagnostic.ts';
import { countToRemove, type Removal } from '../../ir/recipe/amounts.ts';
import { resolveRanges } from '../../ir/recipe/ranges.ts';
import { type Amount, type Step } from '../../ir/recipe/recipe.ts';
import { noSuchUnit } from '../../messages/plan.ts';
import { metricNamed } from '../scores/scores.ts';
import { alignFor } from '../scores/select.ts';
import { namesIn } from '../units/structures.ts';
import { type PlanRequest } from '../technique.ts';
import { type Part, type VocabularyParts } from './vocabulary-parts.ts';

/** Positions that the statement keeps. */
export async function keptOf(
	request: PlanRequest,
	parts: VocabularyParts,
	given: readonly number[],
): Promise<Set<number>> {
	const { amount } = request.step;
	const count = Math.max(given.at(-1) ?? 0, parts.size - 1) + 1;
	const special = request.lexicon?.special(count) ?? [];
	const named = amount && (await namedIds(request, amount, count));
	if (named === undefined) return ranked(request, parts, given, new Set(special));
	const ids = new Set(named.kept ? [...named.ids, ...special] : named.ids);
	return new Set(given.flatMap((id, at) => (ids.has(id) === named.kept ? [at] : [])));
}

type Named = { readonly ids: readonly number[]; readonly kept: boolean };

/** The ids that an amount names one by one, and whether they stay or go; undefined where it only says how many. */
async function namedIds(request: PlanRequest, amount: Amount, count: number): Promise<Named | undefined> {
	const lexicon = (): NonNullable<PlanRequest['lexicon']> =>
		request.lexicon ?? bug('a list of tokens where no file may be read');
	switch (amount.kind) {
		case 'set':
			return { ids: resolveRanges(amount.ranges, count), kept: false };
		case 'keep-set':
			return { ids: resolveRanges(amount.ranges, count), kept: true };
		case 'keep-file':
			return {
				ids: lexicon().closed(existing(request, lexicon().listed(amount.path, count), count)),
				kept: true,
			};
		case 'keep-seen': {
			const counts = await lexicon().counted(amount.path);
			const often = [...counts].filter(([, times]) => times >= amount.times).map(([id]) => id);
			return { ids: lexicon().closed(existing(request, often, count)), kept: true };
		}
		default:
			return undefined;
	}
}

function existing({ step }: PlanRequest, ids: readonly number[], count: number): readonly number[] {
	const strange = ids.find((id) => id >= count);
	if (strange !== undefined)
		throw new Fault(noSuchUnit({ index: strange, what: 'token', where: '', count }, { span: step.span }));
	return ids;
}

/** The first ids stay (vocabularies list the most frequent first), or those that score best; special ones always. */
async function ranked(
	request: PlanRequest,
	parts: VocabularyParts,
	given: readonly number[],
	special: ReadonlySet<number>,
): Promise<Set<number>> {
	const scores = await scoresOf(request, parts);
	const { remove } = removalOf(request.step, given.length);
	const order = given
		.map((id, at) => ({ at, score: special.has(id) ? Infinity : (scores[at] ?? 0) }))
		.sort((a, b) => b.score - a.score || a.at - b.at);
	return new Set(order.slice(0, given.length - remove).map(({ at }) => at));
}

/** How many of so many tokens an amount removes, and to what the rest is aligned. */
export function removalOf(step: Step, total: number): Removal & { readonly align: number } {
	const align = alignFor(step, total, 16);
	if (step.amount === undefined) return { remove: 0, requested: 0, align };
	return { ...countToRemove(step.amount, total, { align, min: Math.max(1, step.min) }), align };
}

async function scoresOf(request: PlanRequest, { tables, heads, size }: VocabularyParts): Promise<number[]> {
	const { by } = request.step;
	if (by === undefined) return Array.from({ length: size }, (_, at) => -at);
	const { family, unitAt } = present([...tables, ...heads][0], 'a part of the vocabulary');
	const group = { family, layer: 0, key: 'vocab', label: 'the vocabulary', names: namesIn(family) };
	const scores = await metricNamed(by).score(group, request);
	return Array.from(unitAt, (unit) => (unit < 0 ? Infinity : (scores[unit] ?? 0)));
}

/** A position that cannot go stays, and with any position those that only go together with it. */
export function withCoupled(kept: ReadonlySet<number>, parts: readonly Part[]): Set<number> {
	const result = new Set(kept);
	for (let before = -1; before !== result.size;) {
		before = result.size;
		for (const { unitAt } of parts) {
			const units = new Set([...result].map((at) => unitAt[at] ?? -1).concat(-1));
			unitAt.forEach((unit, at) => units.has(unit) && result.add(at));
		}
	}
	return result;
}

/** The unknown token's position, else the first that stays. */
export function unknownOf(
	{ lexicon }: PlanRequest,
	kept: ReadonlySet<number>,
	given: readonly number[],
): number {
	const at = given.indexOf(lexicon?.unknown() ?? -1);
	return kept.has(at) ? at : given.findIndex((_, place) => kept.has(place));
}

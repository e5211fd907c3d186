/**
 * Vocabularies: rows of token tables, columns of heads. Ids of the input stay what they were: a table in the graph turns them
 * into the new ones, and sends those that are gone to the unknown token. "Load what you need" (Abdaoui et al., arXiv:2010.05609).
 */
import { bug, Fault, present, type Diagnostic } from '../diagnostic.ts';
import { lookupEdits, lookupsOf } from '../ir/axes/lookup.ts';
import { type Cut } from '../ir/axes/cut.ts';
import { type Net } from '../ir/axes/net.ts';
import { type Model, type ValueName } from '../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../ir/graph/patch.ts';
import { ints } from '../ir/graph/tensor.ts';
import { type Kept } from '../ir/proof.ts';
import { countToRemove, fewestAligned, type Removal } from '../ir/recipe/amounts.ts';
import { resolveRanges } from '../ir/recipe/ranges.ts';
import { type Amount, type Step } from '../ir/recipe/recipe.ts';
import {
	alignedAway,
	needsConsent,
	noAnatomy,
	noSuchUnit,
	nothingSelected,
	pinned,
} from '../messages/plan.ts';
import { cutFrom, decideCut, lowerCut, type CutDecision } from './cut.ts';
import { attributeInt, insert } from './edits.ts';
import { metricNamed } from './scores.ts';
import { alignFor } from './select.ts';
import {
	defineTechnique,
	type Lowered,
	type LowerTask,
	type Planned,
	type PlanRequest,
	saidOf,
} from './technique.ts';
import {
	isAllowed,
	outputsOf,
	vocabularyParts,
	type Part,
	type VocabularyParts,
} from './vocabulary-parts.ts';
import { namesIn } from './structures.ts';

export const pruneVocab = defineTechnique<CutDecision>({
	words: {
		name: 'prune-vocab',
		verb: 'prune',
		target: 'vocab',
		aliases: ['embeddings', 'vocabulary', 'classes'],
		summary:
			'Remove tokens: rows of the table and columns of the head, with a table of ids in the graph so that the old tokenizer keeps working; or classes of a head without a table.',
		example: 'prune vocab keep "tokens.txt" may change "logits"',
		amounts: [
			...(['remove-share', 'remove-count', 'keep-share', 'keep-count', 'set'] as const),
			...(['keep-set', 'keep-file', 'keep-seen'] as const),
		],
		bare: false,
		clauses: ['in', 'except', 'by', 'align', 'may change'],
		metrics: ['l2', 'l1', 'random'],
	},
	plan,
	lower,
});

async function plan(request: PlanRequest): Promise<Planned<CutDecision>> {
	const { step, numbering } = request;
	const parts = vocabularyParts(request);
	if (parts === undefined) throw new Fault(noAnatomy({ target: 'vocabulary' }, { span: step.span }));
	const all = [...parts.tables, ...parts.heads];
	const key = keyOf(parts);
	const given = numbering.units.get(key) ?? Array.from({ length: parts.size }, (_, at) => at);
	const asked = await keptOf(request, parts, given);
	const kept = withCoupled(asked, all);
	const gone = given.flatMap((_, at) => (kept.has(at) ? [] : [at]));
	checkConsent(request, all, kept.size, gone.length);
	const unknown = unknownOf(request, kept, given);
	const cut = decideCut(
		all.map(({ family, unitAt }) => ({ family, units: new Set(gone.map((at) => unitAt[at] ?? -1)) })),
		[],
	);
	return {
		plan: {
			...saidOf(step),
			selected: gone.length,
			of: parts.size,
			unit: unitOf(parts),
			...(isCounted(step.amount) && { metric: step.by ?? 'order of ids' }),
			removed: [{ layer: 0, units: gone.map((at) => given[at] ?? at) }],
			refused: notes(request, parts, asked, gone.length),
			decision: parts.tables.length > 0 ? { ...cut, unknown } : cut,
		},
		tensors: new Map(),
		numbering: {
			...numbering,
			units: new Map(numbering.units).set(
				key,
				given.filter((_, at) => kept.has(at)),
			),
		},
	};
}

const unitOf = ({ tables }: Pick<VocabularyParts, 'tables'>): 'tokens' | 'classes' =>
	tables.length > 0 ? 'tokens' : 'classes';

/** Whether an amount says how many tokens stay, and not which. */
function isCounted(amount: Amount | undefined): boolean {
	return amount?.kind.endsWith('-share') === true || amount?.kind.endsWith('-count') === true;
}

/** The same before and after other steps: ids of nodes do not change. */
function keyOf({ tables, heads }: VocabularyParts): string {
	const [first] = [...tables, ...heads];
	return `vocab/${present(first, 'a part of the vocabulary').family.seed.node.node.id}`;
}

/** Positions that the statement keeps. */
async function keptOf(
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
function removalOf(step: Step, total: number): Removal & { readonly align: number } {
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
function withCoupled(kept: ReadonlySet<number>, parts: readonly Part[]): Set<number> {
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

function checkConsent(request: PlanRequest, parts: readonly Part[], kept: number, gone: number): void {
	const changed = gone === 0 ? [] : parts.flatMap(outputsOf);
	const problems = changed
		.filter(({ name }) => !isAllowed(request.step, name))
		.map(({ name, size }) =>
			needsConsent({ output: name, from: size, to: kept }, { span: request.step.span }),
		);
	if (problems.length > 0) throw new Fault(...problems);
}

function notes(
	{ step }: PlanRequest,
	{ tables, heads, size }: VocabularyParts,
	asked: ReadonlySet<number>,
	gone: number,
): Diagnostic[] {
	const stuck = [...tables, ...heads].find(({ unitAt }) =>
		unitAt.some((unit, at) => unit < 0 && !asked.has(at)),
	);
	if (stuck !== undefined) {
		const [why = 'nothing there can go'] = stuck.family.reasons;
		return [pinned({ what: 'the vocabulary', why }, { span: step.span, at: namesIn(stuck.family)[0] ?? '' })];
	}
	if (gone > 0) return [];
	const { requested, align } = removalOf(step, size);
	const unit = unitOf({ tables });
	if (requested === 0)
		return [
			nothingSelected({ what: unit === 'tokens' ? 'token' : 'class', nearest: '' }, { span: step.span }),
		];
	const what = `the ${size} ${unit}`;
	return [alignedAway({ what, align, fewest: fewestAligned(size, align) }, { span: step.span })];
}

/** The unknown token's position, else the first that stays. */
function unknownOf({ lexicon }: PlanRequest, kept: ReadonlySet<number>, given: readonly number[]): number {
	const at = given.indexOf(lexicon?.unknown() ?? -1);
	return kept.has(at) ? at : given.findIndex((_, place) => kept.has(place));
}

/**
 * Rewrite: tables and heads cut, ids renumbered in the graph. Reference: the whole model fed the unknown token for those that are
 * gone, outputs read at the kept positions, a softmax over those alone. Controls: every id taken for the next, outputs one place off.
 */
function lower(task: LowerTask<CutDecision>): Lowered {
	const { net, decision } = task;
	const { claims, kept = new Map(), ...rest } = lowerCut(task);
	const [masked] = claims;
	if (masked === undefined) return bug('a removal that claims nothing');
	const cut = cutFrom(net, decision);
	const reference = renumbered(net, masked.reference, cut, decision.unknown, 0);
	const controls = [
		...(decision.unknown === undefined
			? []
			: [() => renumbered(net, masked.reference, cut, decision.unknown, 1)]),
		...(kept.size === 0 ? [] : [() => shifted(reference, kept)]),
	];
	return { ...rest, kept, claims: [{ says: 'the whole vocabulary, fed what stays', reference, controls }] };
}

/** A model of the net's nodes that takes removed ids for the unknown one, and those that stay for themselves or ones `further` on. */
function renumbered(net: Net, model: Model, cut: Cut, unknown: number | undefined, further: number): Model {
	if (unknown === undefined) return model;
	const fresh = freshNames(model.graph);
	const edits: Edit[] = [];
	for (const netNode of net.nodes) {
		const own = lookupsOf(netNode).filter(({ letter }) => cut.letters.get(netNode)?.[letter]);
		if (own.length === 0) continue;
		const node = model.graph.nodes.find(({ id }) => id === netNode.node.id) ?? netNode.node;
		const inputs = [...node.inputs];
		for (const { letter, slot = 0 } of own) {
			const dead = present(cut.letters.get(netNode)?.[letter], 'the rows that go');
			const table = oldPlaces(dead, unknown, further);
			const lookup = lookupEdits(net, netNode, slot, table, fresh);
			edits.push(...lookup.edits);
			inputs[slot] = lookup.output;
		}
		edits.push({ kind: 'node', node: { ...node, inputs } });
	}
	return applyPatch(model, { label: 'reference', edits });
}

function oldPlaces(dead: Uint8Array, unknown: number, further: number): number[] {
	const stay = Array.from(dead, (_, at) => at).filter((at) => dead[at] !== 1);
	const next = new Map(stay.map((at, place) => [at, stay[(place + further) % stay.length] ?? at]));
	return Array.from(dead, (_, at) => next.get(at) ?? next.get(unknown) ?? unknown);
}

/** Outputs with each kept position in the place of the one before; where one alone is kept, with a neighbour that goes in its place. */
function shifted(model: Model, kept: Kept): Model {
	const fresh = freshNames(model.graph);
	const edits = [...kept].flatMap(([name, axes]) =>
		[...axes].flatMap(([axis, positions]) => shift(model, name, axis, positions, fresh)),
	);
	return applyPatch(model, { label: 'control', edits });
}

function shift(
	{ graph }: Model,
	name: ValueName,
	axis: number,
	positions: Int32Array,
	fresh: (base: string) => ValueName,
): Edit[] {
	const maker =
		graph.nodes.find(({ outputs }) => outputs.includes(name)) ?? bug('an output nobody makes', { name });
	const [index, whole] = [fresh(`${name}_order`), fresh(`${name}_whole`)];
	const order = Array.from({ length: (positions.at(-1) ?? 0) + 1 }, (_, place) => place);
	positions.forEach((place, turn) => {
		const next =
			positions.length > 1 ? positions[(turn + 1) % positions.length] : place === 0 ? 1 : place - 1;
		order[place] = next ?? place;
	});
	const outputs = maker.outputs.map((output) => (output === name ? whole : output));
	return [
		{ kind: 'node', node: { ...maker, outputs } },
		{ kind: 'constant', tensor: ints(index, [order.length], order) },
		insert('Gather', [whole, index], name, attributeInt('axis', axis)),
	];
}

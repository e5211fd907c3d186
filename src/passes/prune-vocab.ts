/**
 * Vocabularies: rows of token tables, columns of heads. Ids of the input stay what they were: a table in the graph turns them
 * into the new ones, and sends those that are gone to the unknown token. "Load what you need" (Abdaoui et al., arXiv:2010.05609).
 */
import { bug, Fault, present, type Diagnostic } from '../diagnostic.ts';
import { fewestAligned } from '../ir/recipe/amounts.ts';
import { type Amount } from '../ir/recipe/recipe.ts';
import { alignedAway, needsConsent, noAnatomy, nothingSelected, pinned } from '../messages/plan.ts';
import { keptOf, removalOf, unknownOf, withCoupled } from './choose-vocabulary.ts';
import { cutFrom, decideCut, lowerCut, type CutDecision } from './cut.ts';
import { namesIn } from './structures.ts';
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
import { renumbered, shifted } from './vocabulary-reference.ts';

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

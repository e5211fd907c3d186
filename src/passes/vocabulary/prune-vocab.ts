/**
 * Vocabularies: rows of token tables, columns of heads. Ids of the input stay what they were: a table in the graph turns them
 * into the new ones, and sends those that are gone to the unknown token. "Load what you need" (Abdaoui et al., arXiv:2010.05609).
 */
import { bug, Fault, present, type Diagnostic } from '../../diagnostic.ts';
import { fewestAligned } from '../../ir/recipe/amounts.ts';
import { type Model } from '../../ir/graph/graph.ts';
import { applyPatch } from '../../ir/graph/patch.ts';
import { type Kept } from '../../ir/proof.ts';
import { type Amount } from '../../ir/recipe/recipe.ts';
import { stays } from '../../messages/exact.ts';
import {
	alignedAway,
	columnsStay,
	needsConsent,
	noAnatomy,
	nothingSelected,
	pinned,
} from '../../messages/plan.ts';
import { keptOf, removalOf, unknownOf, withCoupled } from './choose-vocabulary.ts';
import { cutFrom, decideCut, lowerCut, type CutDecision } from '../units/cut.ts';
import { columnsOf, restoreEdits, scoreOutputs, withoutScores, type Restored } from './restore-columns.ts';
import { namesIn } from '../units/structures.ts';
import {
	defineTechnique,
	type Lowered,
	type LowerTask,
	type Planned,
	type PlanRequest,
	saidOf,
} from '../technique.ts';
import {
	isAllowed,
	outputsOf,
	vocabularyParts,
	type Part,
	type VocabularyParts,
} from './vocabulary-parts.ts';
import { renumbered, shifted } from './vocabulary-reference.ts';

/** Outputs that keep their columns are named; those that lose them by consent are not. */
type VocabularyDecision = CutDecision & { readonly restored?: readonly Restored[] };

export const pruneVocab = defineTechnique<VocabularyDecision>({
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

async function plan(request: PlanRequest): Promise<Planned<VocabularyDecision>> {
	const { step, numbering } = request;
	const parts = vocabularyParts(request);
	if (parts === undefined) throw new Fault(noAnatomy({ target: 'vocabulary' }, { span: step.span }));
	const all = [...parts.tables, ...parts.heads];
	const key = keyOf(parts);
	const given = numbering.units.get(key) ?? Array.from({ length: parts.size }, (_, at) => at);
	const asked = await keptOf(request, parts, given);
	const kept = withCoupled(asked, all);
	const gone = given.flatMap((_, at) => (kept.has(at) ? [] : [at]));
	const restored = gone.length === 0 ? [] : restoredOf(request, parts, kept.size);
	return {
		plan: {
			...saidOf(step),
			selected: gone.length,
			of: parts.size,
			unit: unitOf(parts),
			...(isCounted(step.amount) && { metric: step.by ?? 'order of ids' }),
			removed: [{ layer: 0, units: gone.map((at) => given[at] ?? at) }],
			refused: [
				...notes(request, parts, asked, gone.length),
				...blindOutputs(request),
				...restored.map((one) => columnsStay({ ...one, gone: gone.length }, { span: step.span })),
			],
			decision: {
				...cutOfTokens(all, gone),
				...(parts.tables.length > 0 && { unknown: unknownOf(request, kept, given) }),
				...(restored.length > 0 && { restored }),
			},
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

function cutOfTokens(parts: readonly Part[], gone: readonly number[]): CutDecision {
	const unitsIn = (unitAt: Int32Array): Set<number> => new Set(gone.map((at) => unitAt[at] ?? -1));
	return decideCut(
		parts.map(({ family, unitAt }) => ({ family, units: unitsIn(unitAt) })),
		[],
	);
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

/**
 * Outputs that would lose columns without leave: scores of tokens get them back, as the tokenizer goes on counting them.
 * @throws `Fault` for others: a class of a head has no meaning but its column.
 */
function restoredOf(request: PlanRequest, { tables, heads }: VocabularyParts, kept: number): Restored[] {
	const all = [...tables, ...heads].flatMap(outputsOf).filter(({ name }) => !isAllowed(request.step, name));
	const lost = [...new Map(all.map((one) => [`${one.name} ${one.axis}`, one])).values()];
	const scores = tables.length > 0 ? scoreOutputs(request.net) : new Set<string>();
	const problems = lost
		.filter(({ name }) => !scores.has(name))
		.map(({ name, size }) =>
			needsConsent({ output: name, from: size, to: kept }, { span: request.step.span }),
		);
	if (problems.length > 0) throw new Fault(...problems);
	return lost.map(({ name, axis, size }) => ({ output: name, axis, columns: size }));
}

/** Outputs of which nobody can say whether they score tokens. */
function blindOutputs({ net, step }: PlanRequest): Diagnostic[] {
	return net.model.graph.outputs.flatMap(({ name }) => {
		const why = net.tensors.get(name)?.producer?.why;
		const isBlind = net.facts.of(name)?.sizes === undefined && why !== undefined;
		return isBlind
			? [stays({ unit: 'outputs', why, labels: [`output '${name}'`] }, { span: step.span })]
			: [];
	});
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
	return [alignedAway({ what: [what], align, fewest: fewestAligned(size, align) }, { span: step.span })];
}

/**
 * Rewrite: tables and heads cut, ids renumbered in the graph, columns put back where they were. Reference: the whole model fed the
 * unknown token for those that are gone, outputs read at the kept positions, or minus infinity chosen at the others, a softmax over the
 * kept alone. Controls: every id taken for the next, outputs one place off.
 */
function lower(task: LowerTask<VocabularyDecision>): Lowered {
	const { net, decision, label } = task;
	const { claims, kept, patch, ...rest } = lowerCut(task);
	const left: Kept = kept ?? new Map();
	const [masked] = claims;
	if (masked === undefined) return bug('a removal that claims nothing');
	const cut = cutFrom(net, decision);
	const columns = columnsOf(net, decision.restored ?? [], left);
	const restored = new Set(columns.map(({ output }) => output));
	const fed = (further: number): Model => renumbered(net, masked.reference, cut, decision.unknown, further);
	const seen = (model: Model): Model => withoutScores(model, columns, 'reference');
	const controls = [
		...(decision.unknown === undefined ? [] : [() => seen(fed(1))]),
		...(left.size === 0 ? [] : [() => seen(shifted(net, fed(0), left))]),
	];
	const edits = patch.edits.filter((edit) => edit.kind !== 'interface' || !restored.has(edit.info.name));
	const small = applyPatch(net.model, { label, edits });
	return {
		...rest,
		patch: { label, edits: [...edits, ...restoreEdits(small, columns)] },
		kept: new Map([...left].filter(([name]) => !restored.has(name))),
		claims: [{ says: 'the whole vocabulary, fed what stays', reference: seen(fed(0)), controls }],
	};
}

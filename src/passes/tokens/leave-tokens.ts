/** What statements about tokens share: a schedule is several of them, how many stay, and the rewrite with its references. */
import { Fault } from '../../diagnostic.ts';
import { type Net } from '../../ir/axes/net.ts';
import { type Model } from '../../ir/graph/graph.ts';
import { applyPatch } from '../../ir/graph/patch.ts';
import { constantTerm } from '../../ir/recipe/predicate.ts';
import { plainStep } from '../../ir/recipe/plain-step.ts';
import { rangesText, resolveRange } from '../../ir/recipe/ranges.ts';
import { type Amount, type Predicate, type Step } from '../../ir/recipe/recipe.ts';
import { statementName } from '../../ir/recipe/vocabulary.ts';
import { opsetLacks, risingSchedule, tokensStay, unclearThreshold } from '../../messages/tokens.ts';
import { followTokens, type Ends, type Followed } from './follow-tokens.ts';
import { maskedModel } from './mask-tokens.ts';
import { layerAfter, placeOf, refusal, sameSizes, scoredBy } from './place-tokens.ts';
import { formOf, fusedIn } from '../attention/plain-attention.ts';
import { shortenTokens } from './shorten-tokens.ts';
import { type Lowered, type LowerTask, type Planned, type PlanRequest, saidOf } from '../technique.ts';
import {
	amountTensor,
	everything,
	scoringMetrics,
	type TokenAmount,
	type TokenMetric,
	type TokenStage,
} from './token-stage.ts';

/** The one decision of a step: where tokens leave, and what becomes of them. */
export type Leaving = { readonly stage: TokenStage };

/**
 * A schedule is a statement for each layer; a layer at which everything stays has none. Attention that is fused becomes plain operators
 * first, from the layer on: they are masked by token in the reference, and the statement may read their probabilities.
 */
export function tokenParts(request: PlanRequest): readonly Step[] {
	const { step, numbering } = request;
	const { amount } = step;
	const [point] = step.after;
	if (amount?.kind === 'keep-word') return [step];
	if (amount?.kind !== 'schedule' || point?.kind !== 'layers' || amount.shares.length === 1)
		return [...unfusing(request), step];
	const layers = point.ranges.flatMap((range) => resolveRange(range, numbering.layerCount));
	const span = step.spans.amount ?? step.span;
	if (layers.length !== amount.shares.length)
		throw new Fault(
			tokensStay(
				{ why: `${amount.shares.length} shares are for ${layers.length} layers of this model` },
				{ span },
			),
		);
	const pairs = layers
		.map((layer, at) => ({ layer, share: amount.shares[at] ?? 1 }))
		.sort((a, b) => a.layer - b.layer);
	if (pairs.some(({ share }, at) => share > (pairs[at - 1]?.share ?? 1)))
		throw new Fault(risingSchedule({}, { span }));
	const parts = pairs
		.filter(({ share }, at) => share < (pairs[at - 1]?.share ?? 1))
		.map(({ layer, share }) => part(step, layer, share));
	const [first] = parts;
	return first === undefined ? [] : [...unfusing({ ...request, step: first }), ...parts];
}

function unfusing(request: PlanRequest): Step[] {
	const { step, anatomy, net, numbering } = request;
	const { layer, given } = layerAfter(request);
	const later = anatomy.layers.slice(anatomy.layers.indexOf(layer));
	const own = new Set(later.flatMap(({ blocks }) => blocks.map(({ node }) => node)));
	const fused = fusedIn(net).filter((site) => own.has(site));
	if (fused.length === 0 || fused.some((site) => typeof formOf(site) === 'string')) return [];
	const to = { index: numbering.layerCount - 1 };
	const ranges = [{ from: { index: given }, to, inclusive: true }];
	const { span, line } = step;
	const words = { technique: 'unfuse-attention', verb: 'unfuse', target: 'attention' };
	const text = `unfuse attention in layers ${rangesText(ranges)}`;
	return [{ ...plainStep(words), text, in: [{ kind: 'layers', ranges, span }], span, line }];
}

function part(step: Step, layer: number, share: number): Step {
	const [first] = step.after;
	const ranges = [{ from: { index: layer }, to: { index: layer }, inclusive: true }];
	const by = step.by === undefined ? '' : ` by ${step.by}`;
	return {
		...step,
		text: `${statementName(step)} keep [${Number((100 * share).toPrecision(12))}%]${by} after layers ${rangesText(ranges)}`,
		amount: { kind: 'schedule', shares: [share] },
		after: [{ kind: 'layers', ranges, span: first?.span ?? step.span }],
	};
}

/** With the metric that ranks tokens where the statement names none. */
export function planTokens(request: PlanRequest, otherwise: TokenMetric): Planned<Leaving> {
	const { step, numbering, anatomy } = request;
	const { metric, amount } = asked(request, otherwise);
	checkOpset(request, amount);
	checkBehind(request);
	const placed = withEnd(request, { ...placeOf(request, metric), amount });
	const stage = { ...placed, ...scoredBy(request, placed) };
	return {
		plan: {
			...saidOf(step),
			selected: 1,
			of: anatomy.layers.length,
			unit: 'layers that tokens leave behind',
			metric: stage.metric,
			removed: [],
			refused: [],
			decision: { stage },
		},
		tensors: new Map(),
		numbering,
	};
}

/**
 * Where and NonZero came with opset 9; TopK of a number that data decide, as with a threshold or ids that stay, with 10. What came later
 * is written in older words.
 */
function checkOpset({ step, model }: PlanRequest, { kind }: TokenAmount): void {
	const has = model.opsets.get('') ?? 1;
	const counted = kind === 'threshold' || step.except.length > 0;
	const [what, needs] = counted
		? (['a sequence whose length the data decide', 10] as const)
		: (['a sequence that gets shorter', 9] as const);
	if (has < needs) throw new Fault(opsetLacks({ what, needs, has }, { span: step.span }));
}

/** Throws `Fault` where nothing behind the layer could have fewer tokens to read. */
function checkBehind(request: PlanRequest): void {
	const { layer, given } = layerAfter(request);
	const { layers } = request.anatomy;
	if (layer === layers.at(-1))
		throw refusal(request, `layer ${given} is the last: nothing behind it would read fewer`);
	const start = request.net.tensors.get(layer.residuals.at(-1)?.after ?? '');
	if (start?.sizes[1] === 1 && start.dynamic[1] !== true)
		throw refusal(request, `'${start.name}' has one position alone`);
}

/** Throws `Fault` where no attention behind the layer reads along the axis that is taken for the tokens'. */
function checkAttends(request: PlanRequest, { value }: TokenStage, { mixes }: Followed): void {
	if (!mixes.some(({ kind }) => kind === 'softmax'))
		throw refusal(
			request,
			`no attention behind the layer reads along axis 1 of '${value}' (tokens are looked for there: a sequence that comes first, or stands behind a cache, is not followed)`,
		);
}

/** Tokens come back behind the last layer where what follows needs every one of them. */
function withEnd(request: PlanRequest, stage: TokenStage): TokenStage {
	const { net, anatomy, step } = request;
	const end = anatomy.layers.at(-1)?.residuals.at(-1)?.after;
	const canReturn = end !== undefined && end !== stage.value && !step.without.includes('restore');
	const restored = canReturn ? { ...stage, end } : stage;
	for (const one of [stage, restored]) {
		try {
			checkAttends(request, one, followTokens(net, endsOf(net, one)));
			return one;
		} catch (problem) {
			if (!(problem instanceof Fault) || one === restored) throw problem;
		}
	}
	return restored;
}

/** What scores tokens, and how many stay. */
function asked(
	{ step }: PlanRequest,
	otherwise: TokenMetric,
): { readonly metric: TokenMetric; readonly amount: TokenAmount } {
	if (step.where === undefined)
		return { metric: (step.by ?? otherwise) as TokenMetric, amount: amountOf(step.amount) };
	const found = thresholdOf(step.where);
	if (found === undefined || (step.by !== undefined && step.by !== found.metric))
		throw new Fault(unclearThreshold({}, { span: step.spans.where ?? step.span }));
	return { metric: found.metric, amount: { kind: 'threshold', number: found.number } };
}

/** `attention < 0.01`, or the same the other way round. */
function thresholdOf(
	where: Predicate,
): { readonly metric: TokenMetric; readonly number: number } | undefined {
	if (where.kind !== 'compare' || (where.op !== '<' && where.op !== '>')) return undefined;
	const [score, bound] = where.op === '<' ? [where.left, where.right] : [where.right, where.left];
	const number = constantTerm(bound);
	const metric = scoringMetrics.find((name) => score.kind === 'field' && score.name === name);
	return metric === undefined || number === undefined ? undefined : { metric, number };
}

/** Shares in millionths: the rewrite rounds up in whole numbers. */
function amountOf(amount: Amount | undefined): TokenAmount {
	const millionths = (share: number): number => Math.max(1, Math.round(share * 1e6));
	switch (amount?.kind) {
		case 'keep-share':
			return { kind: 'share', number: millionths(amount.share) };
		case 'remove-share':
			return { kind: 'share', number: millionths(1 - amount.share) };
		case 'schedule':
			return { kind: 'scheduled', number: millionths(amount.shares[0] ?? 1) };
		case 'keep-count':
			return { kind: 'keep', number: Math.max(1, amount.count) };
		default:
			return { kind: 'remove', number: amount?.kind === 'remove-count' ? amount.count : 0 };
	}
}

function endsOf({ tensors }: Net, { value, end }: TokenStage): Ends {
	const [start, last] = [tensors.get(value), end === undefined ? undefined : tensors.get(end)];
	if (start?.sizes.length !== 3)
		throw new Fault(tokensStay({ why: `'${value}' is not [batch, tokens, features]` }));
	if (end !== undefined && !sameSizes(last, start.sizes))
		throw new Fault(tokensStay({ why: `'${end}' has other sizes than '${value}'` }));
	return { start, end: last };
}

export function lowerTokens({ net, decision: { stage }, label }: LowerTask<Leaving>): Lowered {
	const { model } = net;
	const ends = endsOf(net, stage);
	const followed = followTokens(net, ends);
	const { edits, amount } = shortenTokens(net, stage, ends, followed);
	const masked = (fewer?: 'one' | 'half'): Model => maskedModel(net, stage, followed, fewer);
	const whole = amountTensor(amount, everything(stage.amount));
	return {
		patch: { label, edits },
		claims: [
			{
				says: 'the full sequence, tokens that left masked wherever tokens mix',
				reference: masked(),
				controls: [() => masked('one'), () => masked('half')],
			},
			{
				says: 'the model before the step, when every token stays',
				reference: model,
				controls: [() => masked(), () => masked('half')],
				rewritten: (after) => applyPatch(after, { label, edits: [{ kind: 'constant', tensor: whole }] }),
			},
		],
	};
}

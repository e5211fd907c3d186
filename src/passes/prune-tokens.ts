/** Tokens that leave the sequence while the model runs, chosen anew for each input by its own scores. */
import { Fault } from '../diagnostic.ts';
import { type Net, type NetNode, type NetTensor } from '../ir/axes/net.ts';
import { type Model, type ValueName } from '../ir/graph/graph.ts';
import { applyPatch } from '../ir/graph/patch.ts';
import { ints } from '../ir/graph/tensor.ts';
import { resolveRanges } from '../ir/recipe/ranges.ts';
import { type Amount, type Step } from '../ir/recipe/recipe.ts';
import { type MetricWords } from '../ir/recipe/vocabulary.ts';
import { noAnatomy, noSuchUnit } from '../messages/plan.ts';
import { opsetLacks, tokensStay } from '../messages/tokens.ts';
import { everything, type TokenAmount, type TokenMetric, type TokenStage } from './choose-tokens.ts';
import { followTokens, type Ends } from './follow-tokens.ts';
import { maskedModel } from './mask-tokens.ts';
import { type Placed } from './scope.ts';
import { shortenTokens } from './shorten-tokens.ts';
import {
	defineTechnique,
	type Lowered,
	type LowerTask,
	type Planned,
	type PlanRequest,
} from './technique.ts';

type Leaving = { readonly stage: TokenStage };

const metrics = ['attention', 'cls', 'norm', 'random'] as const;

/** What they say of a token; they are computed inside the model, for each input. */
export const tokenMetrics: readonly MetricWords[] = [
	{
		name: 'attention',
		needs: 'nothing',
		summary:
			'Tokens: attention that the token receives, mean over heads and queries (PoWER-BERT, arXiv:2001.08950).',
	},
	{
		name: 'cls',
		needs: 'nothing',
		summary: 'Tokens: attention that the first token pays it, mean over heads (EViT, arXiv:2202.07800).',
	},
	{ name: 'norm', needs: 'nothing', summary: 'Tokens: Euclidean norm of the hidden state.' },
];

export const pruneTokens = defineTechnique<Leaving>({
	words: {
		name: 'prune-tokens',
		verb: 'prune',
		target: 'tokens',
		aliases: ['token'],
		summary: 'Positions of the sequence leave behind a layer, for each input those with the lowest scores.',
		example: 'prune tokens keep 50% after layer 3 by attention',
		amounts: ['remove-share', 'remove-count', 'keep-share', 'keep-count'],
		bare: false,
		clauses: ['after', 'by'],
		needs: ['after'],
		metrics,
	},
	plan: (request) => Promise.resolve(plan(request)),
	lower,
});

/** GatherND with batch dimensions came with opset 12; TopK of integers and Range with 11. */
const leastOpset = 12;

function plan(request: PlanRequest): Planned<Leaving> {
	const { step, model, numbering, anatomy } = request;
	const opset = model.opsets.get('') ?? 1;
	if (opset < leastOpset)
		throw new Fault(
			opsetLacks({ what: 'token pruning', needs: leastOpset, has: opset }, { span: step.span }),
		);
	const stage = withEnd(request, stageAt(request, layerAfter(request)));
	return {
		plan: {
			statement: step.text,
			technique: 'prune-tokens',
			line: step.line,
			requested: step.text.replace(/^\S+\s+\S+\s*/, ''),
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

/** Tokens come back behind the last layer where what follows needs every one of them. */
function withEnd({ net, anatomy }: PlanRequest, stage: TokenStage): TokenStage {
	const end = anatomy.layers.at(-1)?.residuals.at(-1)?.after;
	const restored = end === undefined || end === stage.value ? stage : { ...stage, end };
	for (const one of [stage, restored]) {
		try {
			followTokens(net, endsOf(net, one));
			return one;
		} catch (problem) {
			if (!(problem instanceof Fault) || one === restored) throw problem;
		}
	}
	return restored;
}

/** The one layer that `after` names, by the numbers of the model as it was given. */
function layerAfter({ step, anatomy, numbering }: PlanRequest): Placed {
	const layers = anatomy.layers.map((layer, at) => ({ layer, given: numbering.layers[at] ?? at }));
	if (layers.length === 0) throw new Fault(noAnatomy({ target: 'layers' }, { span: step.span }));
	const [point] = step.after;
	const wanted = point?.kind === 'layers' ? resolveRanges(point.ranges, numbering.layerCount) : [];
	const found = layers.find(({ given }) => given === wanted[0]);
	if (found !== undefined && wanted.length === 1 && step.after.length === 1) return found;
	if (found !== undefined || point?.kind === 'last-attention')
		throw new Fault(
			tokensStay({ why: 'a statement names one layer' }, { span: step.spans.after ?? step.span }),
		);
	const from = point?.kind === 'layers' ? point.ranges[0]?.from : undefined;
	const index = from !== undefined && 'index' in from ? from.index : numbering.layerCount;
	const said = { index, what: 'layer', where: '', count: numbering.layerCount };
	throw new Fault(noSuchUnit(said, { span: step.spans.after ?? step.span }));
}

function stageAt({ step, net, seed }: PlanRequest, { layer, given }: Placed): TokenStage {
	const value = layer.residuals.at(-1)?.after;
	if (value === undefined || layer.residuals.length < layer.blocks.length)
		throw refusal(step, `the residual path of layer ${given} could not be followed`);
	const start = net.tensors.get(value);
	const mask = net.model.graph.inputs.find(
		({ name }) => /mask/i.test(name) && sameSizes(net.tensors.get(name), start?.sizes.slice(0, 2)),
	)?.name;
	const metric = (step.by ?? 'attention') as TokenMetric;
	const common = { value, metric, amount: amountOf(step.amount), seed, ...(mask !== undefined && { mask }) };
	if (metric === 'norm' || metric === 'random') return common;
	const attention = layer.blocks.find(({ kind, cross }) => kind === 'attention' && !cross);
	return { ...common, attention: probabilities(attention?.node, start, step) };
}

function sameSizes(tensor: NetTensor | undefined, sizes: readonly number[] | undefined): boolean {
	return tensor?.sizes.length === sizes?.length && tensor?.sizes.join() === sizes?.join();
}

/** What the product with the values reads: [batch, heads, queries, keys], of the tokens that leave. */
function probabilities(product: NetNode | undefined, start: NetTensor | undefined, step: Step): ValueName {
	let value = product?.inputs[0];
	for (
		let steps = 0;
		steps < 8 && value?.producer !== undefined && value.producer.node.op !== 'Softmax';
		steps++
	)
		value = value.producer.inputs.find((input) => input?.sizes.length === value?.sizes.length);
	const softmax = value?.producer?.node.op === 'Softmax' ? value : undefined;
	const [batch, length] = start?.sizes ?? [];
	const [rows, , queries, keys] = softmax?.sizes ?? [];
	if (softmax === undefined)
		throw refusal(step, 'the layer has no attention whose probabilities can be read; use `by norm`');
	if (softmax.sizes.length !== 4 || rows !== batch || queries !== length || keys !== length)
		throw refusal(
			step,
			`the probabilities '${softmax.name}' are not [batch, heads, tokens, tokens]; use \`by norm\``,
		);
	return softmax.name;
}

/** Shares in millionths: the rewrite rounds up in whole numbers. */
function amountOf(amount: Amount | undefined): TokenAmount {
	const millionths = (share: number): number => Math.max(1, Math.round(share * 1e6));
	switch (amount?.kind) {
		case 'keep-share':
			return { kind: 'share', number: millionths(amount.share) };
		case 'remove-share':
			return { kind: 'share', number: millionths(1 - amount.share) };
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

function refusal(step: Step, why: string): Fault {
	return new Fault(tokensStay({ why }, { span: step.span }));
}

function lower({ net, decision: { stage }, label }: LowerTask<Leaving>): Lowered {
	const { model } = net;
	const ends = endsOf(net, stage);
	const followed = followTokens(net, ends);
	const { edits, amount } = shortenTokens(model, stage, ends, followed);
	const masked = (fewer?: 'one' | 'half'): Model => maskedModel(model, stage, followed, fewer);
	const whole = ints(amount, [1], [everything[stage.amount.kind]]);
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

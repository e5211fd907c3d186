/**
 * `prune tokens keep last after last attention`: where only the last position of an output is asked for, only it needs what follows the
 * last attention, since nothing mixes positions there. Exact: the outputs that are left are those that were.
 */
import { Fault } from '../../diagnostic.ts';
import { type Net, type NetTensor } from '../../ir/axes/net.ts';
import { type Model, type ValueName } from '../../ir/graph/graph.ts';
import { applyPatch, type Edit } from '../../ir/graph/patch.ts';
import { outputShortens, tokensStay } from '../../messages/tokens.ts';
import { Drawing } from '../draw.ts';
import { followTokens, type Followed } from './follow-tokens.ts';
import { refusal } from './place-tokens.ts';
import { Shortening } from './shorten-graph.ts';
import { isAllowed } from '../vocabulary/vocabulary-parts.ts';
import { type Lowered, type LowerTask, type Planned, type PlanRequest, saidOf } from '../technique.ts';

export type KeptLast = {
	readonly last: {
		/** [batch, tokens, features]: the residual path behind the last attention. */
		readonly value: ValueName;
		/** Outputs that had a row for every token, and the axis. */
		readonly outputs: readonly { readonly name: ValueName; readonly axis: number }[];
	};
};

export function planLast(request: PlanRequest): Planned<KeptLast> {
	const { step, net, anatomy, numbering } = request;
	const [point] = step.after;
	if (point?.kind !== 'last-attention' || step.after.length > 1)
		throw refusal(request, '`keep last` stands `after last attention`');
	const last = anatomy.layers
		.flatMap(({ residuals }) => residuals)
		.findLast(({ block }) => block.kind === 'attention');
	const start = last && unflattened(net.tensors.get(last.after));
	if (start === undefined) throw refusal(request, 'no attention on a residual path is found');
	if (start.io.includes('output'))
		throw refusal(request, `nothing stands behind the last attention of '${start.name}', an output`);
	const outputs = outputsOf(follow(net, start));
	const [closed] = outputs.filter(({ name }) => !isAllowed(step, name));
	if (closed !== undefined) throw new Fault(outputShortens({ output: closed.name }, { span: step.span }));
	return {
		plan: {
			...saidOf(step),
			requested: 'keep last after last attention',
			selected: 1,
			of: anatomy.layers.length,
			unit: 'layers end with the last position alone',
			removed: [],
			refused: [],
			exact: true,
			decision: { last: { value: start.name, outputs } },
		},
		tensors: new Map(),
		numbering,
	};
}

/** Where positions and batch were laid along one axis (OPT), what they were laid out from. */
function unflattened(value: NetTensor | undefined): NetTensor | undefined {
	const { producer } = value ?? {};
	const [from] = producer?.inputs ?? [];
	const isFlat = producer?.node.op === 'Reshape' && value?.sizes.length === 2 && from?.sizes.length === 3;
	return isFlat ? from : value;
}

function follow(net: PlanRequest['net'], start: NetTensor): Followed {
	if (start.sizes.length !== 3)
		throw new Fault(tokensStay({ why: `'${start.name}' is not [batch, tokens, features]` }));
	const followed = followTokens(net, { start, end: undefined, open: true });
	const [mix] = followed.mixes;
	if (mix !== undefined)
		throw new Fault(tokensStay({ why: `${mix.node.node.op} mixes positions behind the last attention` }));
	return followed;
}

function outputsOf({ axes }: Followed): KeptLast['last']['outputs'] {
	return [...axes].flatMap(([tensor, labels]) => {
		const axis = labels.findIndex((one) => one !== undefined);
		return tensor.io.includes('output') ? [{ name: tensor.name, axis }] : [];
	});
}

export function lowerLast({ net, decision: { last }, label }: LowerTask<KeptLast>): Lowered {
	const { model } = net;
	const start = net.tensors.get(last.value);
	if (start === undefined) throw new Fault(tokensStay({ why: `'${last.value}' is not there` }));
	const followed = follow(net, start);
	const draw = new Drawing(net);
	const end = draw.ints([-1]);
	const graph = new Shortening(draw, start, followed, {
		...{ length: draw.size(start.name, 1), kept: draw.ints([1]), byRow: false },
		pick: (value, { axis }) => draw.op('Gather', [value, end], { axis }),
	});
	graph.shorten(draw.op('Gather', [start.name, end], { axis: 1 }));
	const edits = [...draw.edits, ...graph.edits(), ...interfaceEdits(model, last.outputs)];
	return {
		patch: { label, edits },
		claims: [
			{
				says: 'the model before the step, at the last position',
				reference: model,
				controls: [() => turned(net, last.outputs)],
			},
		],
		kept: new Map(last.outputs.map(({ name, axis }) => [name, new Map([[axis, Int32Array.of(-1)]])])),
	};
}

function interfaceEdits({ graph }: Model, outputs: KeptLast['last']['outputs']): Edit[] {
	return outputs.flatMap(({ name, axis }): Edit[] => {
		const info = graph.outputs.find((output) => output.name === name);
		if (info?.dims === undefined) return [];
		const dims = info.dims.map((dim, at) => (at === axis ? 1 : dim));
		return [{ kind: 'interface', side: 'outputs', info: { ...info, dims } }];
	});
}

/** The outputs with their positions in reverse: their last is the first. */
function turned(net: Net, outputs: KeptLast['last']['outputs']): Model {
	const { model } = net;
	const draw = new Drawing(net);
	const edits = outputs.flatMap(({ name, axis }): Edit[] => {
		const maker = model.graph.nodes.find((node) => node.outputs.includes(name));
		if (maker === undefined) return [];
		const plain = draw.name(`${name}_plain`);
		const [from, to, over, step] = [[-1], [-(2 ** 31)], [axis], [-1]].map((numbers) => draw.ints(numbers));
		draw.outputs('Slice', [plain, from ?? '', to ?? '', over ?? '', step ?? ''], {}, 1, [name]);
		const names = maker.outputs.map((one) => (one === name ? plain : one));
		return [{ kind: 'node', node: { ...maker, outputs: names } }];
	});
	return applyPatch(model, { label: 'control', edits: [...draw.edits, ...edits] });
}

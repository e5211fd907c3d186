/** The chain that stands for one kernel: chosen by the data it reads where there is some, and certified. */
import { type Matrix, type Products } from '../../ir/matrix.ts';
import { type Certificate } from '../../ir/proof.ts';
import { numbersOf, tensorOf } from '../../ir/graph/tensor.ts';
import { kernelOfChain, type Kernel, type Scheme, type Stage } from '../../numerics/conv-chain.ts';
import { factorKernel, type Chain, type Ranks } from '../../numerics/conv-factors.ts';
import { certify, difference, energyOf } from '../certify.ts';
import { type Inputs } from './low-rank.ts';

export type Fitted = Chain & {
	/** 1 × outputs: the mean of what is lost, which the bias gives back. Absent without data. */
	readonly shift?: Matrix;
	/** The squared error: of the kernel, or of what it puts out on held-out inputs. */
	readonly lost: number;
	readonly certificate: Omit<Certificate, 'of'>;
};

const theory: Readonly<Record<Scheme, string>> = {
	channels: 'singular values',
	spatial: 'singular values',
	tucker: 'the core of orthogonal factors',
	cp: 'normal equations',
};

/** With data, by the variance of what the kernel puts out, unless the plain way loses less on held-out inputs. */
export async function fitKernel(
	scheme: Scheme,
	{ kernel, type }: { readonly kernel: Kernel; readonly type: number },
	wanted: Ranks,
	inputs: Inputs | undefined,
	products: Products,
): Promise<Fitted> {
	const made = async (ranks: Ranks, moments?: Matrix): Promise<Weighed> =>
		weighed(await factorKernel(scheme, kernel, ranks, moments, products), type, products);
	const loss = ({ computed }: Weighed): Promise<number> =>
		energyOf(difference(kernel.matrix, computed), inputs?.heldOut ?? inputs?.fit, products);
	if (inputs === undefined) {
		const plain = await made(wanted);
		const certificate = await certificateOf(scheme, kernel, plain, undefined, products);
		return { ...plain.chain, lost: await loss(plain), certificate };
	}
	const byOutputs = await made(wanted, inputs.fit);
	const plain = await made(byOutputs.chain.ranks);
	const [plainly, byData] = [await loss(plain), await loss(byOutputs)];
	const isPlain = inputs.heldOut !== undefined && plainly < byData;
	const chosen = isPlain ? plain : byOutputs;
	return {
		...chosen.chain,
		lost: isPlain ? plainly : byData,
		shift: await products.multiply(inputs.mean, difference(kernel.matrix, chosen.stored)),
		certificate: await certificateOf(scheme, kernel, chosen, isPlain ? undefined : inputs.fit, products),
	};
}

/** A chain with the kernels that it multiplies to, before rounding to the model's type and after. */
type Weighed = { readonly chain: Chain; readonly computed: Matrix; readonly stored: Matrix };

async function weighed(chain: Chain, type: number, products: Products): Promise<Weighed> {
	const asStored = chain.stages.map((stage): Stage => ({
		...stage,
		data: Float64Array.from(numbersOf(tensorOf('', type, stage.dims, stage.data))),
	}));
	return {
		chain,
		computed: await kernelOfChain(chain.stages, products),
		stored: await kernelOfChain(asStored, products),
	};
}

async function certificateOf(
	scheme: Scheme,
	kernel: Kernel,
	{ chain, computed, stored }: Weighed,
	moments: Matrix | undefined,
	products: Products,
): Promise<Fitted['certificate']> {
	const approximation = { of: kernel.matrix, computed, stored, tail: chain.tail, moments };
	const says = moments === undefined ? theory[scheme] : 'output variance';
	return { says, ...(await certify(approximation, products)) };
}

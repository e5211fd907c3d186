/** Sounds as a model's inputs: at the model's rate, in pieces of its length. */
import wavefile from 'wavefile';
import { Fault } from '../diagnostic.ts';
import { elementType } from '../ir/graph/dtype.ts';
import { type ValueInfo } from '../ir/graph/graph.ts';
import { unfitModel } from '../messages/data.ts';
import { settingsBeside } from './beside.ts';
import { wantedOf } from './fit.ts';
import { roleOf } from './roles.ts';
import { type Sample, type SampleValue, type Waveform } from './sample.ts';

export type SoundReading = {
	readonly words: string;
	/** The pieces of one sound, in their order. */
	prepare(sound: Waveform): Sample[];
};

/** The rate comes from `preprocessor_config.json`; without it a sound keeps its own. Throws `Fault` for a model of features. */
export function readSounds(inputs: readonly ValueInfo[], model: string): SoundReading {
	const settings = settingsBeside(model, 'preprocessor_config.json') ?? {};
	const input = inputs.find(
		({ type, dims, ...one }) =>
			elementType(type)?.kind === 'float' && (dims?.length ?? 2) <= 3 && roleOf({ ...one, type }) === 'other',
	);
	const features = settings['feature_size'];
	if (input === undefined || (typeof features === 'number' && features > 1)) {
		const why =
			input === undefined
				? 'none of its inputs takes samples'
				: `it takes ${String(features)} features, not samples`;
		throw new Fault(unfitModel({ what: 'sound', why, wanted: inputs.map(wantedOf) }));
	}
	const said = settings['sampling_rate'];
	const rate = typeof said === 'number' ? said : undefined;
	const size = input.dims?.at(-1);
	const length = typeof size === 'number' && size > 0 ? size : undefined;
	const pace =
		rate === undefined ? 'in their own rate (no preprocessor_config.json)' : `at ${rate} samples a second`;
	return {
		words: `sounds ${pace}${length === undefined ? '' : `, in pieces of ${length} samples`}`,
		prepare: (sound) => {
			const resampled = rate === undefined ? sound : resample(sound, rate);
			const samples = settings['do_normalize'] === true ? normalized(resampled.samples) : resampled.samples;
			return pieces(samples, length).map((piece) => feedsOf(inputs, input, piece, resampled.rate));
		},
	};
}

/** Windowed sinc, with a low-pass before a reduction. */
export function resample(sound: Waveform, rate: number): Waveform {
	if (sound.rate === rate) return sound;
	const wav = new wavefile.WaveFile();
	wav.fromScratch(1, sound.rate, '64', Float64Array.from(sound.samples));
	wav.toSampleRate(rate, { method: 'sinc', LPF: rate < sound.rate });
	return { rate, samples: Float32Array.from(wav.getSamples(true)) };
}

/** Zero mean and unit variance, as speech models of the wav2vec2 family want it. */
function normalized(samples: Float32Array): Float32Array {
	const mean = samples.reduce((sum, one) => sum + one, 0) / Math.max(1, samples.length);
	const variance = samples.reduce((sum, one) => sum + (one - mean) ** 2, 0) / Math.max(1, samples.length);
	return samples.map((one) => (one - mean) / Math.sqrt(variance + 1e-7));
}

/** A sound shorter than a piece is filled up with silence; what is left after the last whole piece is left out. */
function pieces(samples: Float32Array, length: number | undefined): Float32Array[] {
	if (length === undefined) return [samples];
	if (samples.length < length) {
		const filled = new Float32Array(length);
		filled.set(samples);
		return [filled];
	}
	return Array.from({ length: Math.floor(samples.length / length) }, (_, at) =>
		samples.subarray(at * length, (at + 1) * length),
	);
}

function feedsOf(inputs: readonly ValueInfo[], input: ValueInfo, piece: Float32Array, rate: number): Sample {
	const rank = input.dims?.length ?? 2;
	const dims = [...new Array<number>(rank - 1).fill(1), piece.length];
	const rates = inputs
		.filter((one) => roleOf(one) === 'rate')
		.map((one): [string, SampleValue] => [
			one.name,
			{ type: one.type, dims: (one.dims ?? []).map(() => 1), data: [rate] },
		]);
	return new Map([[input.name, { type: input.type, dims, data: piece }], ...rates]);
}

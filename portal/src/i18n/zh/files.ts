// SPDX-License-Identifier: Apache-2.0
export default {
  title: '照片和附件', help: '照片会自动压缩并去掉拍摄位置等信息,提交时一并上传。最多 20 个。',
  photo: '拍照', choose: '选择照片或文件', busy: '正在处理…', remove: '移除 {name}', sending: '正在上传 {name}',
  unreadable: '{name}:这张图片打不开,请换一张或截图后再试。', failed: '{name}:没能添加,请再试一次。',
  not: { type: '{name}:不支持这种文件,可以添加照片、PDF 和录音。', size: '{name}:文件是空的或超过 20 MB。', count: '{name}:最多添加 {n} 个附件。' },
  lost: '{name}:已不在本机上,请移除后重新添加。',
  masked: '有 {n} 个附件,您的角色不能查看内容。',
};
